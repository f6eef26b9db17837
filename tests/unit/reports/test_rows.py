"""Rows of a report: they always add up to the account's total."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from past_usages import (
    ACCOUNT,
    ALLOWANCE,
    CLAIMS,
    DAYS,
    GROUP,
    INVOICE,
    NOW,
    ORDERS,
    PLAN,
    daily,
    moment,
    report_of,
)

from exporter.past_usage import Money, Part
from exporter.reports.options import BY, DayRange
from exporter.reports.rows import begins_in, is_over, is_whole

if TYPE_CHECKING:
    from exporter.past_usage import DailyUsage
    from exporter.reports.rows import AccountReport


def account(*usages: DailyUsage, by: str = "workspace") -> AccountReport:
    (found,) = report_of(*usages, by=by).accounts
    return found


def used(report: AccountReport) -> list[tuple[str, int]]:
    return [(row.identifier or row.kind, row.used) for row in report.rows]


def test_each_workspace_is_a_row_and_the_rest_is_one_of_its_own() -> None:
    found = account(daily(None, 10, 20, 30), daily(CLAIMS, 1, 2, 3), daily(ORDERS, 4, 5, 6))
    assert used(found) == [("wS2", 15), ("wS1", 6), ("other", 39)]
    assert (found.total.used, found.parts, found.other) == (60, 2, 39)
    assert found.rows[0].cost == Money(Decimal("0.1875"), "EUR")
    assert found.total.cost == Money(Decimal("0.7500"), "EUR")


def test_without_a_rest_there_is_no_row_for_it() -> None:
    found = account(daily(None, 3, 0, 4), daily(CLAIMS, 3, 0, 4), daily(ORDERS, 0, 0, 0))
    assert used(found) == [("wS1", 7), ("wS2", 0)]
    assert found.other == 0


def test_parts_of_the_other_axis_are_in_no_row() -> None:
    usages = daily(None, 10, 20, 30), daily(CLAIMS, 1, 2, 3), daily(INVOICE, 9, 9, 9)
    assert used(account(*usages)) == [("wS1", 6), ("other", 54)]
    assert used(account(*usages, by="document-type")) == [("dT1", 27), ("other", 33)]


def test_without_parts_the_row_is_the_account() -> None:
    (row,) = account(daily(None, 1, 2, 3)).rows
    assert row[:3] == ("organization", "oRg1", "Acme")
    assert row.days == DAYS


def test_a_day_is_a_row_also_without_usage() -> None:
    found = account(daily(None, 1, 0, 3), by="day")
    assert [(row.days.first.day, row.days.after.day, row.used) for row in found.rows] == [
        (1, 2, 1),
        (2, 3, 0),
        (3, 4, 3),
    ]


def test_a_month_is_a_row_as_far_as_the_range_goes() -> None:
    found = account(daily(None, 1, 2, 4, first=date(2026, 2, 27)), by="month")
    assert [(row.days, row.used) for row in found.rows] == [
        (DayRange(date(2026, 2, 27), date(2026, 3, 1)), 3),
        (DayRange(date(2026, 3, 1), date(2026, 3, 2)), 4),
    ]


def test_the_current_day_is_not_complete() -> None:
    found = account(daily(None, 1, 2, current_day=date(2026, 3, 2)), by="day")
    assert [row.is_complete for row in (*found.rows, found.total)] == [True, False, False]


def test_days_that_are_not_known_are_counted() -> None:
    found = account(daily(None, 10, 20, 30), daily(CLAIMS, 1, None, 3))
    assert used(found) == [("wS1", 4), ("other", 56)]
    assert [(row.unknown_days, row.is_complete) for row in found.rows] == [(1, False), (1, False)]
    assert (found.total.unknown_days, found.total.is_complete) == (0, True)


def test_the_parts_stand_for_a_day_on_which_the_account_is_not_known() -> None:
    found = account(daily(None, None, 20), daily(CLAIMS, 4, 5))
    assert used(found) == [("wS1", 9), ("other", 15)]
    assert (found.total.used, found.total.unknown_days) == (24, 1)


def test_parts_that_exceed_the_account_make_the_rest_negative() -> None:
    found = account(daily(None, 10), daily(CLAIMS, 13))
    assert used(found) == [("wS1", 13), ("other", -3)]
    assert found.other == -3


def test_without_a_price_there_is_no_cost() -> None:
    found = account(daily(None, 10, unit_price=None))
    assert (found.total.cost, found.rows[0].cost) == (None, None)


def test_several_accounts_are_reported_one_by_one() -> None:
    other = ACCOUNT._replace(identifier="oRg2")
    found = report_of(daily(None, 1), daily(None, 2, account=other), daily(CLAIMS, 1), PLAN)
    assert [each.usage.account.identifier for each in found.accounts] == ["oRg1", "oRg2"]
    assert used(found.accounts[0]) == [("wS1", 1)]
    assert found.periods == (PLAN,)
    assert PLAN.account == GROUP


def test_usage_without_a_day_is_no_account() -> None:
    assert report_of(daily(None)).accounts == ()


COUNT = st.integers(0, 10**11)
COUNTS = st.lists(COUNT, min_size=40, max_size=40) | st.lists(
    st.none() | COUNT, min_size=40, max_size=40
)


@given(COUNTS, st.lists(COUNTS, max_size=4), st.sampled_from(BY))
def test_rows_always_add_up_to_the_total(
    whole: list[int | None], parts: list[list[int | None]], by: str
) -> None:
    usages = [
        daily(Part(("workspace", "document-type")[index % 2], f"p{index}"), *counts)
        for index, counts in enumerate(parts)
    ]
    found = account(daily(None, *whole), *usages, by=by)
    assert sum(row.used for row in found.rows) == found.total.used
    costs = [row.cost.amount for row in found.rows if row.cost]
    assert found.total.cost
    assert sum(costs) == found.total.cost.amount
    of_whole = sum(count or 0 for count in whole)
    assert found.total.used >= of_whole
    assert (found.total.used == of_whole) or None in whole


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((2026, 3, 1), (2026, 3, 4), (True, True)),
        ((2026, 3, 1), (2026, 3, 4, 1), (False, True)),
        ((2026, 2, 28, 23), (2026, 3, 2), (False, False)),
        ((2026, 3, 3, 23), (2026, 4, 2), (False, True)),
        ((2026, 3, 4), (2026, 4, 2), (False, False)),
    ],
)
def test_a_period_lies_within_the_days_and_begins_in_them(
    start: tuple[int, ...], end: tuple[int, ...], expected: tuple[bool, bool]
) -> None:
    period = PLAN._replace(start=moment(*start), end=moment(*end))
    assert (is_whole(period, DAYS), begins_in(period, DAYS)) == expected


def test_what_a_period_used_is_final_once_it_is_over_and_was_read_to_its_end() -> None:
    assert is_over(PLAN, NOW)
    assert not is_over(PLAN, moment(2026, 3, 2, 23))
    assert not is_over(ALLOWANCE, NOW)
    assert is_over(ALLOWANCE._replace(final_until=moment(2026, 4, 1)), NOW)
    assert not is_over(PLAN._replace(end=None), NOW)
