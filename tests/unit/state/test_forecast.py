"""When an allowance runs out, against examples worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.forecast import (
    day_of_run_out,
    mean_per_day,
    run_out_by_mean,
    run_out_by_weekdays,
)

DAY = 86_400
TODAY = 1_772_150_400.0  # Friday, 27 February 2026
EVEN = [10] * 28
OFFICE = [10, 0, 0, 10, 10, 10, 10] * 4  # seen from a Friday
UNUSED_WEEK = [10] * 7 + [0] * 7 + [10] * 14
HOLIDAY = [0] + [10] * 27  # today's weekday, four weeks ago
REFUND = [10, -50, 10, 10, 10, 10, 10] + [10, 0, 10, 10, 10, 10, 10] * 2 + [10] * 7
ONE_A_WEEK = [1, 0, 0, 0, 0, 0, 0] * 4


@pytest.mark.parametrize(
    ("history", "used_today", "available", "days"),
    [
        # today 10, of which 4 are used; then 10 tomorrow and 10 the day after
        pytest.param(EVEN, 4, 26, 3.0, id="even"),
        # today is done; nothing on Saturday and Sunday, 10 on Monday, 5 of Tuesday's 10
        pytest.param(OFFICE, 10, 15, 4.5, id="over a weekend"),
        # half of what Friday takes: 20 of 40
        pytest.param([40, *[0] * 6] * 4, 10, 10, 0.5, id="within today"),
        # 7.5 a day: today's and tomorrow's
        pytest.param(UNUSED_WEEK, 0, 15, 2.0, id="an unused week"),
        # 7.5 today, 10 on each of the next two days
        pytest.param(HOLIDAY, 0, 27, 2.95, id="a holiday"),
        # 25 today, which is more than the mean; 5 of tomorrow's 10
        pytest.param(EVEN, 25, 5, 1.5, id="a busy day"),
        # -40 in four weeks of tomorrow's weekday: nothing; 10 each on the two days after it
        pytest.param(REFUND, 10, 20, 4.0, id="a refund"),
        # a refund today has raised what is available already
        pytest.param(EVEN, -7, 20, 2.0, id="a refund today"),
        # the ten-thousandth week's credit is gone when its day ends: 9,999 x 7 + 1
        pytest.param(ONE_A_WEEK, 0, 10_000, 69_994.0, id="far away"),
        # as new periods begin: everything is left, the pace is the last period's
        pytest.param(OFFICE, 0, 50, 7.0, id="a renewal"),
    ],
)
def test_what_is_left_lasts_as_the_weekdays_of_four_weeks_say(
    history: list[int], used_today: int, available: int, days: float
) -> None:
    out = run_out_by_weekdays(history, TODAY, used_today, available)
    assert out == TODAY + days * DAY


@pytest.mark.parametrize("history", [[0] * 28, [-3] * 28], ids=["nothing", "refunds"])
def test_what_nobody_uses_never_runs_out(history: list[int]) -> None:
    assert run_out_by_weekdays(history, TODAY, 0, 5) is None


@given(
    st.lists(st.integers(-20, 60), min_size=28, max_size=28),
    st.integers(-20, 100),
    st.integers(1, 3000),
)
def test_leaps_over_whole_weeks_end_where_a_walk_ends(
    history: list[int], used_today: int, available: int
) -> None:
    week = [max(Fraction(0), Fraction(sum(history[day::7]), 4)) for day in range(7)]
    out = run_out_by_weekdays(history, 0.0, used_today, available)
    if not any(week):
        assert out is None
        return
    left = Fraction(available + max(0, used_today))
    day, expected = 0, max(week[0], Fraction(used_today))
    while left > expected:
        left, day = left - expected, day + 1
        expected = week[day % 7]
    assert out == pytest.approx(float((day + left / expected) * DAY), rel=1e-12)


@pytest.mark.parametrize(
    ("days", "allowed", "day"),
    [
        ([50, 50, 10], 100, 1),
        ([120, 0, 0], 100, 0),
        ([120, -50, 60], 100, 2),  # the refund gave something back
        ([0, 3], 0, 0),  # there was nothing from the start
        ([0, 0], 0, None),
        ([5, -5], 0, None),
    ],
)
def test_an_allowance_was_used_up_on_the_day_after_which_nothing_was_left(
    days: list[int], allowed: int, day: int | None
) -> None:
    assert day_of_run_out(days, allowed) == day


def test_the_mean_is_that_of_the_days_and_never_negative() -> None:
    assert mean_per_day([1, 2, 3]) == 2.0
    assert mean_per_day([1, -20, 3]) == 0.0


def test_at_a_mean_pace_half_a_days_use_lasts_half_a_day() -> None:
    assert run_out_by_mean(4.0, 1000.0, 2.0) == 1000.0 + DAY / 2
    assert run_out_by_mean(4.0, 1000.0, 0.0) == 1000.0
    assert run_out_by_mean(0.0, 1000.0, 2.0) is None
