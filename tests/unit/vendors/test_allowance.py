"""Purchased allowances: their periods, and contradictory settings."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.vendors.common.allowance import AllowanceSettings


def purchased(**keys: object) -> AllowanceSettings:
    return AllowanceSettings.model_validate({"credits": 1} | keys)


@pytest.mark.parametrize(
    ("keys", "today", "first", "after"),
    [
        # the calendar's own periods
        ({"period": "month"}, "2026-05-01", "2026-05-01", "2026-06-01"),
        ({"period": "month"}, "2026-12-31", "2026-12-01", "2027-01-01"),
        ({"period": "month"}, "2024-02-29", "2024-02-01", "2024-03-01"),
        ({"period": "quarter"}, "2026-03-31", "2026-01-01", "2026-04-01"),
        ({"period": "quarter"}, "2026-12-31", "2026-10-01", "2027-01-01"),
        ({"period": "year"}, "2024-12-31", "2024-01-01", "2025-01-01"),
        # an anchor in the past, and one to come
        ({"period": "month", "starts": "2025-01-15"}, "2026-05-14", "2026-04-15", "2026-05-15"),
        ({"period": "month", "starts": "2025-01-15"}, "2026-05-15", "2026-05-15", "2026-06-15"),
        ({"period": "month", "starts": "2027-01-15"}, "2026-05-15", "2026-05-15", "2026-06-15"),
        ({"period": "quarter", "starts": "2025-02-10"}, "2026-02-09", "2025-11-10", "2026-02-10"),
        ({"period": "quarter", "starts": "2027-02-10"}, "2026-02-09", "2025-11-10", "2026-02-10"),
        ({"period": "year", "starts": "2025-07-01"}, "2026-06-30", "2025-07-01", "2026-07-01"),
        # days that not every month has
        ({"period": "month", "starts": "2025-01-31"}, "2026-02-27", "2026-01-31", "2026-02-28"),
        ({"period": "month", "starts": "2025-01-31"}, "2026-02-28", "2026-02-28", "2026-03-31"),
        ({"period": "month", "starts": "2025-01-31"}, "2026-03-30", "2026-02-28", "2026-03-31"),
        ({"period": "month", "starts": "2025-01-30"}, "2024-02-29", "2024-02-29", "2024-03-30"),
        ({"period": "month", "starts": "2025-01-29"}, "2026-03-01", "2026-02-28", "2026-03-29"),
        ({"period": "quarter", "starts": "2025-11-30"}, "2026-02-28", "2026-02-28", "2026-05-30"),
        ({"period": "year", "starts": "2024-02-29"}, "2026-02-27", "2025-02-28", "2026-02-28"),
        ({"period": "year", "starts": "2024-02-29"}, "2028-02-29", "2028-02-29", "2029-02-28"),
        # a prepayment has one period, whatever the day
        ({"period": "prepaid", "starts": "2024-03-01"}, "2026-05-15", "2024-03-01", None),
        (
            {"period": "prepaid", "starts": "2024-03-01", "ends": "2024-12-31"},
            "2023-01-01",
            "2024-03-01",
            "2025-01-01",
        ),
    ],
)
def test_a_period_begins_on_its_anchors_day(
    keys: dict[str, object], today: str, first: str, after: str | None
) -> None:
    assert purchased(**keys).bounds(date.fromisoformat(today)) == (
        date.fromisoformat(first),
        after and date.fromisoformat(after),
    )


@given(
    st.sampled_from(["month", "quarter", "year"]),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.dates(date(1901, 1, 1), date(2999, 12, 30)),
)
def test_periods_follow_one_another_and_each_day_is_in_one(
    period: str, anchor: date, today: date
) -> None:
    allowance = purchased(period=period, starts=anchor.isoformat())
    first, after = allowance.bounds(today)
    assert after is not None
    assert first <= today < after
    assert allowance.bounds(first) == (first, after)
    assert allowance.bounds(after)[0] == after
    assert allowance.bounds(first - timedelta(days=1))[1] == first


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"period": "week"}, "Input should be"),
        ({"period": "prepaid"}, "a prepaid allowance needs the day on which it starts"),
        ({"period": "month", "ends": "2026-01-01"}, "only a prepaid allowance ends"),
        (
            {"period": "prepaid", "starts": "2026-01-02", "ends": "2026-01-01"},
            "ends before it starts",
        ),
        (
            {"period": "month", "price_per_credit": 1.0},
            "price_per_credit and currency go together",
        ),
        ({"period": "month", "currency": "EUR"}, "price_per_credit and currency go together"),
        ({"period": "month", "starts": "2026-02-29"}, "must be a date such as 2026-01-31"),
        ({"period": "month", "starts": "20260228"}, "must be a date such as 2026-01-31"),
        ({"period": "month", "starts": "1999-12-31"}, "must be a date such as 2026-01-31"),
        ({"period": "month", "starts": 2026}, "must be a date such as 2026-01-31"),
        ({"period": "month", "credits": -1}, "greater than or equal to 0"),
        ({"period": "month", "credits": 2**53 + 1}, "less than or equal to"),
        ({"period": "month", "credits": 1.5}, "should be a valid integer"),
    ],
)
def test_contradictory_settings_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        purchased(**keys)


def test_a_prepayment_may_last_a_single_day() -> None:
    allowance = purchased(period="prepaid", starts="2026-01-01", ends="2026-01-01")
    assert allowance.bounds(date(2026, 1, 1)) == (date(2026, 1, 1), date(2026, 1, 2))
