from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Allowance, PollOutcome, PollResult
from exporter.state.daily_usage import (
    ObservedUsage,
    UsageByAllowance,
    update_usage,
    with_exhaustion,
)
from exporter.state.store import TargetState

MONDAY = 1_767_571_200.0  # 2026-01-05 00:00 UTC
DAY = 86_400.0
HOUR = 3_600.0
KEY = ("4101", "7101")


def poll_result(used: int, available: int = 1000, **more: object) -> PollResult:
    plan = Allowance("4101", "7101", used + available, used, available, "documents", **more)  # type: ignore[arg-type]  # whatever a case needs
    return PollResult((), (plan,))


def updated(usage: UsageByAllowance, result: PollResult, now: float) -> UsageByAllowance:
    """After a poll that has read everything."""
    return update_usage(usage, result, result, now)


def usage_after(*polls: tuple[float, int]) -> ObservedUsage:
    """The usage after polls at these times with these totals."""
    usage: UsageByAllowance = {}
    for time, used in polls:
        usage = updated(usage, poll_result(used, cumulative_only=True), time)
    return usage[KEY]


def test_usage_between_two_polls_of_a_day_belongs_to_that_day() -> None:
    use = usage_after((MONDAY + HOUR, 100), (MONDAY + 2 * HOUR, 130), (MONDAY + 3 * HOUR, 135))
    assert use == ObservedUsage(MONDAY + 3 * HOUR, 135, (35,))


def test_usage_across_midnight_is_divided_in_proportion_to_time() -> None:
    use = usage_after((MONDAY + 23 * HOUR, 100), (MONDAY + 26 * HOUR, 130))
    assert use.days == (10, 20)


@pytest.mark.parametrize(
    ("total", "days"),
    [(90, (40,)), (0, (40,)), (140, (40,)), (150, (50,))],
    ids=["a refund", "a renewal", "no usage", "usage"],
)
def test_a_total_that_falls_counts_as_no_usage(total: int, days: tuple[int, ...]) -> None:
    use = usage_after((MONDAY, 100), (MONDAY + HOUR, 140), (MONDAY + 2 * HOUR, total))
    assert (use.used, use.days) == (total, days)


def test_after_a_renewal_usage_counts_from_the_new_total() -> None:
    use = usage_after((MONDAY, 100), (MONDAY + HOUR, 3), (MONDAY + 2 * HOUR, 10))
    assert use.days == (7,)


@pytest.mark.parametrize(("gap", "days"), [(DAY, (12, 12)), (DAY + 1, (0,)), (-DAY - 1, (0,))])
def test_after_a_gap_of_more_than_a_day_the_history_starts_over(
    gap: float, days: tuple[int, ...]
) -> None:
    assert usage_after((MONDAY + 12 * HOUR, 100), (MONDAY + 12 * HOUR + gap, 124)).days == days


def test_a_wall_clock_set_back_a_little_changes_no_day() -> None:
    use = usage_after((MONDAY, 100), (MONDAY - HOUR, 107), (MONDAY + HOUR, 110))
    assert use == ObservedUsage(MONDAY + HOUR, 110, (10,))


def test_an_allowance_that_disappears_is_dropped() -> None:
    usage = updated({}, poll_result(5, cumulative_only=True), MONDAY)
    assert updated(usage, PollResult(()), MONDAY + HOUR) == {}


def test_an_allowance_whose_total_is_unknown_keeps_its_days() -> None:
    result = poll_result(5, cumulative_only=True)
    seen = updated({}, result, MONDAY)
    unknown = PollResult((), (replace(result.allowances[0], used=None),))
    assert updated(seen, unknown, MONDAY + HOUR) == seen
    assert update_usage(seen, PollResult(()), result, MONDAY + HOUR) == seen


def test_an_allowance_with_usage_by_day_from_its_vendor_is_not_tracked() -> None:
    assert updated({}, poll_result(5), MONDAY) == {}


def weekdays_only(days: int) -> list[tuple[float, int]]:
    """Polls at every midnight from a Sunday on; 20 used on each of Monday to Friday."""
    polls, used = [(MONDAY - DAY, 0), (MONDAY, 0)], 0
    for day in range(days):
        used += 20 if day % 7 < 5 else 0
        polls.append((MONDAY + (day + 1) * DAY, used))
    return polls


def forecast_after(days: int, available: int, **more: object) -> Allowance:
    """Of an allowance that was observed from its first use on."""
    polls = weekdays_only(days)
    result = poll_result(polls[-1][1], available, **more)
    return with_exhaustion(result, {KEY: usage_after(*polls)}).allowances[0]


def test_with_four_complete_weeks_the_forecast_is_by_weekday() -> None:
    # On a Monday, with the use of six working days left: until the next Monday is over.
    found = forecast_after(28, 120, exhaustion=1.0, end=MONDAY + 35 * DAY)
    assert found.exhaustion == pytest.approx(MONDAY + 36 * DAY)
    assert found.burn_per_day == pytest.approx(100 / 7)
    assert found.projected_used == pytest.approx(400 + 100)
    # No week was ever misjudged: 0.2 of a mean day, which is 1 / 7 of a Monday.
    assert found.exhaustion_earliest == pytest.approx(MONDAY + (36 - 1 / 7) * DAY)
    assert found.exhaustion_latest == pytest.approx(MONDAY + (36 + 1 / 7) * DAY)


def test_with_one_complete_week_the_forecast_is_nearly_by_weekday() -> None:
    # On a Monday, with the use of two working days left. Each is expected to use a little less
    # than 20, and each day of the weekend a little more than 0.
    found = forecast_after(7, 40, exhaustion=1.0)
    assert found.exhaustion is not None
    assert MONDAY + 9 * DAY < found.exhaustion < MONDAY + 9.2 * DAY


def test_with_less_than_a_complete_week_the_forecast_is_unchanged() -> None:
    use = usage_after(*weekdays_only(6))
    known = poll_result(100, 120, exhaustion=1.0)
    assert with_exhaustion(known, {KEY: use}) == known


def test_after_weeks_without_usage_there_is_no_exhaustion() -> None:
    use = usage_after(*((MONDAY + day * DAY, 7) for day in range(30)))
    assert (
        with_exhaustion(poll_result(7, exhaustion=1.0), {KEY: use}).allowances[0].exhaustion is None
    )


def test_a_used_up_allowance_is_exhausted_since_the_day_of_its_last_use() -> None:
    # Observed from the Sunday on; Friday of the fourth week used the last 20 of 400.
    found = forecast_after(28, 0, exhaustion=1.0, start=MONDAY - DAY)
    assert found.exhaustion == MONDAY + 25 * DAY


@pytest.mark.parametrize(
    ("end", "out"), [(1, MONDAY + 36 * DAY), (0, None)], ids=["active", "expired"]
)
def test_an_expired_plan_has_no_new_forecast(end: float, out: float | None) -> None:
    use = usage_after(*weekdays_only(28))
    forecast = with_exhaustion(poll_result(560, 120, end=use.at + end), {KEY: use})
    assert forecast.allowances[0].exhaustion == (out and pytest.approx(out))


def test_the_target_state_tracks_usage_from_poll_to_poll() -> None:
    state = TargetState()
    for moment, used in weekdays_only(28):
        outcome = PollOutcome(
            poll_result(used, 120, exhaustion=1.0, cumulative_only=True), 0.1, 1, moment, 0.0
        )
        state = state.after(outcome, stale_at=0.0)
    assert state.result is not None
    assert state.result.allowances[0].exhaustion == pytest.approx(MONDAY + 36 * DAY)
    assert state.last_poll is not None
    assert state.last_poll.result is state.result


POLLS = st.lists(
    st.tuples(st.floats(0.0, 2 * DAY), st.integers(0, 10_000)), min_size=1, max_size=60
)


@given(POLLS)
def test_days_are_consecutive_and_add_up_to_the_usage_since_the_first(
    polls: list[tuple[float, int]],
) -> None:
    usage: UsageByAllowance = {}
    now, used, expected, began = MONDAY, 0, 0, MONDAY
    for gap, more in polls:
        starts_over = gap > DAY or not usage
        now, used = now + gap, used + more
        expected, began = (0, now) if starts_over else (expected + more, began)
        usage = updated(usage, poll_result(used, cumulative_only=True), now)
        use = usage[KEY]
        assert use.at == now
        assert len(use.days) == min(58, now // DAY - began // DAY + 1)
        assert all(day >= 0 for day in use.days)
        assert sum(use.days) <= expected
        assert len(use.days) == 58 or sum(use.days) == expected
