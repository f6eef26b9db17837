"""The options of a report: its flags, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from fake_targets import target
from past_usages import plan_of
from vendor_calls import affinda_settings, xtracta_settings

from exporter.history.options import FlagError
from exporter.reports.options import (
    DayRange,
    ReportOptions,
    parse_invoice_ids,
    parse_options,
    parse_range,
)
from exporter.vendors.base import HistoryQuery

TODAY = date(2026, 3, 11)
FLAGS = {
    "month": "",
    "from": "",
    "to": "",
    "by": "workspace",
    "format": "table",
    "output": "",
    "invoice-id": [""],
}
FEBRUARY = DayRange(date(2026, 2, 1), date(2026, 3, 1))


def test_by_default_every_target_is_reported_for_the_last_complete_month() -> None:
    targets = (affinda_settings(name="a"), xtracta_settings(name="b"))
    options = parse_options(FLAGS, targets, TODAY)
    assert options == ReportOptions(targets, FEBRUARY, "workspace", "table", None, {})
    assert options.query == HistoryQuery(
        date(2026, 2, 1), date(2026, 2, 28), frozenset({"workspace"})
    )


def test_flags_make_a_plan() -> None:
    targets = (affinda_settings(name="a"), xtracta_settings(name="b"))
    flags = FLAGS | {
        "targets": ["b"],
        "month": "2025-12",
        "by": "day",
        "format": "focus",
        "output": "there.csv",
        "invoice-id": ["b=INV=7"],
    }
    assert parse_options(flags, targets, TODAY) == ReportOptions(
        targets[1:],
        DayRange(date(2025, 12, 1), date(2026, 1, 1)),
        "day",
        "focus",
        Path("there.csv"),
        {"b": "INV=7"},
    )


@pytest.mark.parametrize(
    ("by", "scope_kinds"),
    [("document-type", {"document-type"}), ("organization", set()), ("month", set())],
)
def test_only_scopes_that_have_rows_are_read(by: str, scope_kinds: set[str]) -> None:
    assert plan_of(by=by).query.scope_kinds == frozenset(scope_kinds)


@pytest.mark.parametrize(
    ("flags", "first", "after"),
    [
        (("", "", ""), (2026, 2, 1), (2026, 3, 1)),
        (("2026-03", "", ""), (2026, 3, 1), (2026, 4, 1)),
        (("2024-02", "", ""), (2024, 2, 1), (2024, 3, 1)),
        (("", "2026-01-31", "2026-02-02"), (2026, 1, 31), (2026, 2, 2)),
        (("", "2026-03-01", ""), (2026, 3, 1), (2026, 3, 12)),
        (("", "2026-03-11", "2026-09-01"), (2026, 3, 11), (2026, 9, 1)),
    ],
)
def test_the_end_is_exclusive(
    flags: tuple[str, str, str], first: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    assert parse_range(*flags, TODAY) == DayRange(date(*first), date(*after))


def test_in_january_the_last_month_is_december() -> None:
    expected = DayRange(date(2025, 12, 1), date(2026, 1, 1))
    assert parse_range("", "", "", date(2026, 1, 1)) == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("202601", "", ""), "invalid --month; expected a month such as 2026-01"),
        (("2026-13", "", ""), "invalid --month; expected a month such as 2026-01"),
        (("2026-04", "", ""), "--month must begin from 2010-01-01 to 2026-03-11"),
        (("2009-12", "", ""), "--month must begin from 2010-01-01 to 2026-03-11"),
        (("", "2026-03-12", "2026-04-01"), "--from must begin from 2010-01-01 to 2026-03-11"),
        (("2026-01", "2026-01-01", ""), "--month cannot be combined with --from and --to"),
        (("2026-01", "", "2026-01-01"), "--month cannot be combined with --from and --to"),
        (("", "", "2026-01-01"), "--to needs --from"),
        (("", "2026-01-01", "2026-01-01"), "--to must be after --from; it is exclusive"),
        (("", "yesterday", ""), "invalid --from; expected a date such as 2026-01-31"),
        (("", "2026-01-01", "2026-02-30"), "invalid --to; expected a date such as 2026-01-31"),
    ],
)
def test_an_invalid_range_is_refused(flags: tuple[str, str, str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse_range(*flags, TODAY)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["a"], "invalid --invoice-id a; expected TARGET=ID"),
        (["a="], "invalid --invoice-id a=; expected TARGET=ID"),
        (["=1"], "invalid --invoice-id =1; expected TARGET=ID"),
        (["b=1"], "invalid --invoice-id b=1; b is not in the report"),
        (["a=1", "a=2"], "invalid --invoice-id a=2; a already has one"),
    ],
)
def test_an_invalid_invoice_is_refused(pairs: list[str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse_invoice_ids(pairs, [target("a")])
    assert str(caught.value) == message


def test_an_invoice_of_another_format_is_refused() -> None:
    with pytest.raises(FlagError, match="--invoice-id needs --format=focus"):
        parse_options(FLAGS | {"invoice-id": ["acme=1"]}, [affinda_settings()], TODAY)


def test_an_output_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlagError, match=f"--output {tmp_path} is not a regular file"):
        parse_options(FLAGS | {"output": str(tmp_path)}, [affinda_settings()], TODAY)
