"""The report for people, literally."""

from __future__ import annotations

from datetime import date

import pytest
from past_usages import (
    ACCOUNT,
    ALLOWANCE,
    CLAIMS,
    GROUP,
    ORDERS,
    PLAN,
    daily,
    moment,
    plan_of,
    report_of,
)

from exporter.reports.table import format_table

EU = report_of(
    daily(None, 1000, 20, 3000),
    daily(CLAIMS, 700, 0, 1000),
    daily(ORDERS, 20, 20, 0),
    ALLOWANCE,
    target="acme-eu",
)
BRANCH = GROUP._replace(identifier="482", name="")
NZ = report_of(
    PLAN,
    PLAN._replace(
        kind="pack", identifier="9", name="", account=BRANCH, end=moment(2027, 3, 2, 6, 30)
    ),
    target="acme-nz",
)


def test_a_report_has_a_section_for_each_target_and_totals_by_currency() -> None:
    assert (
        format_table(plan_of(), [EU, NZ])
        == """\
Usage from 2026-03-01 to 2026-03-04 (ends are exclusive, UTC)

acme-eu: Acme (oRg1)
WORKSPACE     CREDITS    SHARE       COST
Claims (wS1)    1,700   42.3 %  21.25 EUR
Orders (wS2)       40    1.0 %   0.50 EUR
other           2,280   56.7 %  28.50 EUR
Total           4,020  100.0 %  50.25 EUR
2 workspaces account for 1,740 of the organization's 4,020 credits; 2,280 are in other.

PERIOD                                       ALLOWED  USED  UNUSED      PRICE  PER UNIT
monthly credits, 2026-03-01 to 2026-04-01 *    1,000    60     940  12.50 EUR    0.2083
* Partly in the range: shown whole, with what was used before 2026-03-04.

acme-nz
PERIOD                                    ALLOWED  USED  UNUSED       PRICE  PER UNIT
Head (481)
Yearly (71), 2026-03-02 to 2026-03-03         800   600     200  100.00 NZD    0.1667
482
pack 9, 2026-03-02 to 2027-03-02 06:30 *      800   600     200  100.00 NZD    0.1667
* Partly in the range: shown whole.

TOTAL
credits used                                  4,020
cost of the usage                             50.25  EUR
purchased (periods that begin in the range)   12.50  EUR
                                             200.00  NZD"""
    )


def test_a_label_that_does_not_fit_has_a_line_of_its_own() -> None:
    lines = format_table(plan_of(), [EU], 60).splitlines()
    assert lines[10:14] == [
        "PERIOD  ALLOWED  USED  UNUSED      PRICE  PER UNIT",
        "monthly credits, 2026-03-01 to 2026-04-01 *",
        "          1,000    60     940  12.50 EUR    0.2083",
        "* Partly in the range: shown whole, with what was used before 2026-03-04.",
    ]


def test_wide_and_combining_characters_are_aligned() -> None:
    wide = report_of(
        daily(None, 3),
        daily(CLAIMS._replace(name="保険"), 2),
        daily(ORDERS._replace(name="e\N{COMBINING ACUTE ACCENT}"), 1),
    )
    assert format_table(plan_of(), [wide]).splitlines()[3:7] == [
        "WORKSPACE   CREDITS    SHARE        COST",
        "保険 (wS1)        2   66.7 %   0.025 EUR",
        "e\N{COMBINING ACUTE ACCENT} (wS2)           1   33.3 %  0.0125 EUR",
        "Total             3  100.0 %  0.0375 EUR",
    ]


def test_days_show_their_weekday_and_which_is_incomplete() -> None:
    found = report_of(daily(None, 1, 2, current_day=date(2026, 3, 2)), by="day")
    assert format_table(plan_of(by="day"), [found]).splitlines()[3:8] == [
        "DAY                          CREDITS    SHARE        COST",
        "2026-03-01 Sun                     1   33.3 %  0.0125 EUR",
        "2026-03-02 Mon (incomplete)        2   66.7 %   0.025 EUR",
        "Total                              3  100.0 %  0.0375 EUR",
        "The current day, 2026-03-02, is not over: its figures are incomplete.",
    ]


def test_months_are_shown_without_a_day() -> None:
    usage = daily(None, 1, 2, 4, first=date(2026, 2, 27), unit_price=None)
    found = report_of(usage, by="month")
    assert format_table(plan_of(by="month"), [found]).splitlines()[3:] == [
        "MONTH    CREDITS    SHARE",
        "2026-02        3   42.9 %",
        "2026-03        4   57.1 %",
        "Total          7  100.0 %",
        "",
        "TOTAL",
        "credits used  7",
    ]


EXCEEDED = (
    "The listed parts exceed the organization's total by 1,190 credits: the vendor's figures "
    "disagree, and other is negative."
)


@pytest.mark.parametrize(
    ("by", "parts", "expected"),
    [
        ("workspace", (), ["The target lists no workspaces: the row is the whole organization."]),
        (
            "document-type",
            (),
            ["The target lists no document types: the row is the whole organization."],
        ),
        ("organization", (), []),
        (
            "workspace",
            (daily(CLAIMS, 10),),
            ["1 workspace accounts for all of the organization's 10 credits."],
        ),
        (
            "workspace",
            (daily(CLAIMS, 4),),
            ["1 workspace accounts for 4 of the organization's 10 credits; 6 are in other."],
        ),
        (
            "workspace",
            (daily(CLAIMS, 1200),),
            [
                EXCEEDED,
            ],
        ),
        (
            "workspace",
            (daily(CLAIMS, None),),
            [
                "1 workspace accounts for 0 of the organization's 10 credits; 10 are in other.",
                "A part's figures of 1 day cannot be read: its usage then is in other.",
            ],
        ),
    ],
)
def test_a_line_says_whether_the_parts_add_up(
    by: str, parts: tuple[object, ...], expected: list[str]
) -> None:
    found = report_of(daily(None, 10), *parts, by=by)  # type: ignore[arg-type]  # as the cases want it
    lines = format_table(plan_of(by=by), [found]).splitlines()
    start = 4 + len(found.accounts[0].rows) + (len(found.accounts[0].rows) > 1)
    assert lines[start : lines.index("TOTAL") - 1] == expected


def test_the_number_of_days_that_cannot_be_read_is_shown() -> None:
    text = format_table(plan_of(by="day"), [report_of(daily(None, None, 3, None), by="day")])
    assert (
        "\nThe organization's figures of 2 days cannot be read: the total may lack usage.\n" in text
    )
    assert "A part's figures" not in text


def test_accounts_of_one_target_have_headings() -> None:
    second = ACCOUNT._replace(identifier="oRg2", name="")
    found = report_of(daily(None, 0), daily(None, 1, account=second), by="organization")
    lines = format_table(plan_of(by="organization"), [found]).splitlines()
    assert lines[2:9] == [
        "acme",
        "Acme (oRg1)",
        "ORGANIZATION  CREDITS  SHARE      COST",
        "Acme (oRg1)         0      -  0.00 EUR",
        "oRg2",
        "ORGANIZATION  CREDITS    SHARE        COST",
        "oRg2                1  100.0 %  0.0125 EUR",
    ]


def test_units_are_shown_where_a_target_has_several() -> None:
    pages = PLAN._replace(unit="pages", allowed=None, used=None, price=None, end=None, name="")
    lines = format_table(plan_of(), [report_of(PLAN, pages)], 60).splitlines()
    assert lines[3:8] == [
        "PERIOD  ALLOWED  USED  UNUSED       PRICE  PER UNIT",
        "Yearly (71), documents, 2026-03-02 to 2026-03-03",
        "            800   600     200  100.00 NZD    0.1667",
        "71, pages, 2026-03-02 to ? *",
        "              -     -       -           -         -",
    ]


def test_a_target_without_usage_says_so() -> None:
    assert format_table(plan_of(), [report_of()]).splitlines()[2:] == [
        "acme",
        "Nothing was used or purchased in this range.",
    ]
