"""The daily use of a target as CSV."""

from __future__ import annotations

import csv
from io import StringIO

from pages_of_targets import affinda_result, polled, settings, xtracta_target

from exporter.model import PollResult
from exporter.web.usage_csv import attachment, usage_csv


def test_each_scope_has_a_line_for_each_day() -> None:
    target = settings("acme")
    days: dict[str, tuple[int | None, ...]] = {"whole": (5, 7, 2), "wSp1": (-1, 2), "wSp2": (None,)}
    assert usage_csv(polled(target, affinda_result(target, days))).decode() == (
        "date,target,scope,identifier,name,unit,used,is_complete\n"
        "2026-11-16,acme,organization,oRg1,Acme,credits,5,true\n"
        "2026-11-17,acme,organization,oRg1,Acme,credits,7,true\n"
        "2026-11-18,acme,organization,oRg1,Acme,credits,2,false\n"
        "2026-11-17,acme,workspace,wSp1,Claims,credits,-1,true\n"
        "2026-11-18,acme,workspace,wSp1,Claims,credits,2,false\n"
    )


def test_days_that_were_derived_from_totals_are_lines_as_well() -> None:
    lines = usage_csv(xtracta_target(polls=4)).decode().splitlines()
    assert lines[1:] == [
        "2026-11-16,acme-nz,allowance,4101/7101,4101 · Yearly (7101),documents,80,true",
        "2026-11-17,acme-nz,allowance,4101/7101,4101 · Yearly (7101),documents,80,true",
        "2026-11-18,acme-nz,allowance,4101/7101,4101 · Yearly (7101),documents,48,false",
    ]


def test_names_are_text_and_never_formulas() -> None:
    target = settings("=1+1")
    result = affinda_result(target, {"whole": (5,)})
    (scope,) = result.scopes
    result = PollResult((), scopes=(scope._replace(name='@"SUM",\n\ud800'),))
    (row,) = list(csv.reader(StringIO(usage_csv(polled(target, result)).decode())))[1:]
    assert (row[1], row[4]) == ("'=1+1", '\'@"SUM",\n?')


def test_without_a_result_there_is_a_header_alone() -> None:
    assert usage_csv(polled(settings("acme"), None)).count(b"\n") == 1


def test_the_file_is_named_after_the_target() -> None:
    assert attachment('a"/\r\n;é') == (
        b"attachment; filename=\"usage.csv\"; filename*=UTF-8''a%22%2F%0D%0A%3B%C3%A9-usage.csv"
    )
