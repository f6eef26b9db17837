"""Accounts: usage by weekday, cumulative usage, and who may see what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.demo.accounts import (
    Accounts,
    Group,
    Organization,
    Plan,
    business_hours,
    cumulative_usage,
    utc_now,
    weekday_usage,
    whole_day,
)

MONDAY = date(2026, 3, 2)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2190, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  the strategy adds the zone


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC)


@given(st.dates())
def test_weekday_usage_is_reproducible(day: date) -> None:
    assert weekday_usage("acme", 500)(day) == weekday_usage("acme", 500)(day) >= 0


def test_weekday_usage_depends_on_the_seed() -> None:
    assert weekday_usage("one", 500)(MONDAY) != weekday_usage("two", 500)(MONDAY)


def test_weekends_have_little_usage_and_some_sundays_none() -> None:
    usage = weekday_usage("acme", 1000, growth=0.0)
    weeks = [MONDAY + timedelta(weeks=week) for week in range(40)]
    sundays = [usage(monday + timedelta(days=6)) for monday in weeks]
    assert min(map(usage, weeks)) > 800
    assert max(sundays) < 200
    assert 5 < sundays.count(0) < 30


def test_some_days_have_a_spike() -> None:
    usage = weekday_usage("acme", 1000, growth=0.0)
    busy = [day for day in range(730) if usage(MONDAY + timedelta(days=day)) > 1300]
    assert 1 <= len(busy) <= 20


def test_a_holiday_has_little_usage() -> None:
    usage = weekday_usage("acme", 1000, growth=0.0)
    assert usage(date(2026, 5, 1)) < 110
    assert usage(date(2026, 5, 8)) > 600


@pytest.mark.parametrize(("growth", "least", "most"), [(1.0, 1.5, 3.0), (-0.5, 0.3, 0.7)])
def test_usage_grows_by_the_yearly_rate(growth: float, least: float, most: float) -> None:
    usage = weekday_usage("acme", 10_000, growth)
    weeks = range(0, 56, 7)
    first = sum(usage(MONDAY + timedelta(days=day)) for day in weeks)
    later = sum(usage(MONDAY + timedelta(days=364 + day)) for day in weeks)
    assert least < later / first < most


def test_most_usage_is_in_business_hours() -> None:
    assert business_hours(at(0)) == 0.0
    assert business_hours(at(7)) < 0.05
    assert 0.49 < business_hours(at(13)) < 0.52
    assert business_hours(at(19)) > 0.95
    assert business_hours(at(23, 59)) < 1.0


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=900)))
def test_cumulative_usage_never_decreases(moment: datetime, later: timedelta) -> None:
    used = cumulative_usage(lambda _: 70, moment - timedelta(days=30))
    assert 0 <= used(moment) <= used(moment + later)


def test_cumulative_usage_has_the_complete_days_and_part_of_the_current_one() -> None:
    used = cumulative_usage(lambda _: 100, at(9) - timedelta(days=3))
    assert used(at(0)) == 300
    assert used(at(13)) == 350
    assert used(at(9) - timedelta(days=3)) < 50


def test_credits_of_the_current_day_grow_and_future_days_have_none() -> None:
    accounts = Accounts(elapsed=business_hours)
    usage = {MONDAY: 100, MONDAY - timedelta(days=1): 40, MONDAY + timedelta(days=1): 60}
    days = sorted(usage)
    assert [accounts.credits(usage, day, at(0)) for day in days] == [40, 0, 0]
    assert [accounts.credits(usage, day, at(13)) for day in days] == [40, 50, 0]


def test_by_default_the_current_day_is_complete_at_midnight() -> None:
    assert whole_day(at(0)) == 1.0
    assert Accounts().credits({MONDAY: 7}, MONDAY, at(0)) == 7
    assert Accounts().credits({}, MONDAY, at(0)) == 0


def test_the_real_clock_is_in_utc() -> None:
    assert utc_now().tzinfo is UTC


def test_a_key_gives_access_to_every_organization_of_its_user() -> None:
    one, two, other = (
        Organization(identifier, "Acme", key, {})
        for identifier, key in [("one", "shared"), ("two", "shared"), ("other", "own")]
    )
    accounts = Accounts((one, two, other))
    assert accounts.organizations_by_key == {"shared": [one, two], "own": [other]}


def test_a_key_belongs_to_the_group_that_has_it() -> None:
    inner = Group(3, "Inner", "inner-key")
    middle = Group(2, "Middle", subgroups=(inner,))
    outer = Group(1, "Outer", "outer-key", subgroups=(middle,))
    assert Accounts(groups=(outer,)).groups_by_key == {"outer-key": outer, "inner-key": inner}
    assert list(outer.tree()) == [outer, middle, inner]


def test_used_documents_are_a_number_or_a_function_of_time() -> None:
    assert Plan(1, "P", 1, "NZD", 10, 4, at(0), at(1)).used_at(at(0)) == 4
    assert Plan(1, "P", 1, "NZD", 10, lambda m: m.hour, at(0), at(1)).used_at(at(9)) == 9
