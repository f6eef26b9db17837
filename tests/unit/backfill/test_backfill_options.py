"""The options of a backfill: its flags, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from fake_targets import target

from exporter.backfill.options import (
    BackfillOptions,
    parse_days,
    parse_labels,
    parse_options,
    parse_step,
)
from exporter.history.options import FlagError, select_targets
from exporter.vendors import VENDORS

TODAY = date(2026, 3, 11)


def test_flags_make_a_plan() -> None:
    acme, other = target("acme"), target("other")
    flags = {
        "targets": ["acme"],
        "start": "2026-01-31",
        "end": "2026-02-28",
        "step": "15m",
        "label": ["job=docusage", 'instance=a "quoted" host'],
        "output": "there.om",
    }
    assert parse_options(flags, [acme, other], TODAY) == BackfillOptions(
        (acme,),
        date(2026, 1, 31),
        date(2026, 2, 28),
        900,
        r'job="docusage",instance="a \"quoted\" host"',
        Path("there.om"),
    )


def test_targets_whose_vendor_has_no_past_usage_are_left_out_unless_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = {"other": VENDORS["affinda"]._replace(history=None)}
    monkeypatch.setattr("exporter.history.options.VENDORS", without)
    first, second = target("a"), target("b").model_copy(update={"vendor": "other"})
    assert select_targets((first, second), ()) == (first,)
    for targets, names in (((first, second), ("b",)), ((second,), ())):
        with pytest.raises(FlagError, match="the vendor has no API for past usage: b"):
            select_targets(targets, names)


def test_by_default_every_target_is_written_until_yesterday() -> None:
    flags = {"start": "2026-01-31", "end": "", "step": "1d", "label": [""], "output": "x"}
    found = parse_options(flags, [target("a"), target("b")], TODAY)
    assert [each.name for each in found.targets] == ["a", "b"]
    assert (found.last, found.labels) == (date(2026, 3, 10), "")


def test_an_unknown_target_is_refused() -> None:
    flags = {"targets": ["b", "c", "a"], "start": "2026-01-31", "end": "", "step": "1d"}
    more = {"label": [], "output": "x"}
    with pytest.raises(FlagError, match="unknown target: b, c"):
        parse_options(flags | more, [target("a")], TODAY)


def test_a_directory_is_refused_as_output(tmp_path: Path) -> None:
    flags = {"start": "2026-01-31", "end": "", "step": "1d", "label": [], "output": str(tmp_path)}
    with pytest.raises(FlagError, match="is a directory"):
        parse_options(flags, [target("a")], TODAY)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("", "", "invalid --start; expected a date such as 2026-01-31"),
        ("20260101", "", "invalid --start; expected a date such as 2026-01-31"),
        ("2026-02-30", "", "invalid --start; expected a date such as 2026-01-31"),
        ("2026-03-11", "", "--start must be from 2010-01-01 to 2026-03-10"),
        ("2009-12-31", "", "--start must be from 2010-01-01 to 2026-03-10"),
        ("2026-02-02", "2026-02-01", "--start must be from 2010-01-01 to 2026-02-01"),
        ("2026-03-01", "2026-03-11", "--end must be at most 2026-03-10"),
        ("2026-03-01", "now", "invalid --end; expected a date such as 2026-01-31"),
    ],
)
def test_invalid_days_are_refused(start: str, end: str, text: str) -> None:
    with pytest.raises(FlagError, match=text):
        parse_days(start, end, TODAY)


@pytest.mark.parametrize("text", ["", "5", "0m", "7m", "2d", "5 m", "-5m", "5M", "\u0661m"])
def test_a_step_that_does_not_divide_a_day_is_refused(text: str) -> None:
    with pytest.raises(FlagError, match="--step must divide a day evenly"):
        parse_step(text)


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        (["job"], "invalid --label job; expected NAME=VALUE"),
        (["job="], "invalid --label job=; expected NAME=VALUE"),
        (["2job=a"], "expected NAME=VALUE"),
        (["__name__=a"], "expected NAME=VALUE"),
        (["target=a"], "target is already in use"),
        (["job=a", "job=b"], "job is already in use"),
    ],
)
def test_an_invalid_label_is_refused(pairs: list[str], text: str) -> None:
    with pytest.raises(FlagError, match=text):
        parse_labels(pairs)
