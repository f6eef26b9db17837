"""Calendar days and months."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from exporter.days import days_between, midnight, midnight_seconds, next_month


def test_a_day_begins_at_midnight_utc() -> None:
    assert midnight(date(2026, 3, 29)) == datetime(2026, 3, 29, tzinfo=UTC)
    assert midnight_seconds(date(1970, 1, 2)) == 86_400


def test_both_ends_are_among_the_days_between() -> None:
    days = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert list(days_between(days[0], days[2])) == days
    assert list(days_between(days[2], days[0])) == []


@pytest.mark.parametrize(
    ("day", "first"),
    [
        (date(2025, 12, 31), date(2026, 1, 1)),
        (date(2026, 1, 31), date(2026, 2, 1)),
        (date(2026, 11, 1), date(2026, 12, 1)),
    ],
)
def test_the_month_after_a_day_begins_on_its_first_day(day: date, first: date) -> None:
    assert next_month(day) == first
