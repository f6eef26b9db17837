from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Allowance, PollOutcome, PollResult
from exporter.state.daily_usage import UsageByAllowance, UsageHistory, update_usage, with_exhaustion
from exporter.state.store import TargetState

MONDAY = 1_767_571_200.0  # 2026-01-05 00:00 UTC
DAY = 86_400.0
HOUR = 3_600.0
KEY = ("4101", "7101")


def poll_result(used: int, available: int = 1000, **more: object) -> PollResult:
    plan = Allowance("4101", "7101", used + available, used, available, "documents", **more)  # type: ignore[arg-type]  # whatever a case needs
    return PollResult((), (plan,))


def updated(seen: UsageByAllowance, result: PollResult, now: float) -> UsageByAllowance:
    """After a poll that has read everything."""
    return update_usage(seen, result, result, now)


def watched(*policy: tuple[float, int]) -> UsageHistory:
    """What is seen after looks at these moments and totals."""
    seen: UsageByAllowance = {}
    for moment, used in policy:
        seen = updated(seen, poll_result(used, cumulative_only=True), moment)
    return seen[KEY]


def test_use_between_two_looks_of_a_day_belongs_to_that_day() -> None:
    use = watched((MONDAY + HOUR, 100), (MONDAY + 2 * HOUR, 130), (MONDAY + 3 * HOUR, 135))
    assert use == UsageHistory(MONDAY + 3 * HOUR, 135, (35,))


def test_use_across_midnight_is_shared_out_by_the_time_on_either_side() -> None:
    use = watched((MONDAY + 23 * HOUR, 100), (MONDAY + 26 * HOUR, 130))
    assert use.days == (10, 20)


@pytest.mark.parametrize(
    ("total", "days"),
    [(90, (40,)), (0, (40,)), (140, (40,)), (150, (50,))],
    ids=["a refund", "a renewal", "no use", "use"],
)
def test_a_total_that_falls_counts_as_no_use(total: int, days: tuple[int, ...]) -> None:
    use = watched((MONDAY, 100), (MONDAY + HOUR, 140), (MONDAY + 2 * HOUR, total))
    assert (use.used, use.days) == (total, days)


def test_use_goes_on_from_the_total_after_a_renewal() -> None:
    use = watched((MONDAY, 100), (MONDAY + HOUR, 3), (MONDAY + 2 * HOUR, 10))
    assert use.days == (7,)


@pytest.mark.parametrize(("gap", "days"), [(DAY, (12, 12)), (DAY + 1, (0,)), (-DAY - 1, (0,))])
def test_after_more_than_a_day_without_a_look_the_days_begin_anew(
    gap: float, days: tuple[int, ...]
) -> None:
    assert watched((MONDAY + 12 * HOUR, 100), (MONDAY + 12 * HOUR + gap, 124)).days == days


def test_a_clock_put_back_a_little_changes_no_day() -> None:
    use = watched((MONDAY, 100), (MONDAY - HOUR, 107), (MONDAY + HOUR, 110))
    assert use == UsageHistory(MONDAY + HOUR, 110, (10,))


def test_an_allowance_that_is_gone_is_forgotten() -> None:
    seen = updated({}, poll_result(5, cumulative_only=True), MONDAY)
    assert updated(seen, PollResult(()), MONDAY + HOUR) == {}


def test_an_allowance_whose_total_is_unknown_keeps_its_days() -> None:
    result = poll_result(5, cumulative_only=True)
    seen = updated({}, result, MONDAY)
    unknown = PollResult((), (replace(result.allowances[0], used=None),))
    assert updated(seen, unknown, MONDAY + HOUR) == seen
    assert update_usage(seen, PollResult(()), result, MONDAY + HOUR) == seen


def test_an_allowance_whose_vendor_tells_the_days_is_not_observed() -> None:
    assert updated({}, poll_result(5), MONDAY) == {}


def weekdays_alone(days: int) -> list[tuple[float, int]]:
    """A look at every midnight from a Sunday on, 20 used on each of Monday to Friday."""
    policy, used = [(MONDAY - DAY, 0), (MONDAY, 0)], 0
    for day in range(days):
        used += 20 if day % 7 < 5 else 0
        policy.append((MONDAY + (day + 1) * DAY, used))
    return policy


def test_four_complete_weeks_run_out_by_their_weekdays() -> None:
    policy = weekdays_alone(28)
    use = watched(*policy)
    # On a Monday, with the use of six working days left: until the next Monday is over.
    refined = with_exhaustion(poll_result(560, 120, exhaustion=1.0), {KEY: use})
    assert refined.allowances[0].exhaustion == MONDAY + 28 * DAY + 8 * DAY


def test_less_than_four_complete_weeks_leave_the_run_out_as_it_is() -> None:
    use = watched(*weekdays_alone(27))
    known = poll_result(540, 120, exhaustion=1.0)
    assert with_exhaustion(known, {KEY: use}) is known


def test_four_weeks_without_use_never_run_out() -> None:
    use = watched(*((MONDAY + day * DAY, 7) for day in range(30)))
    assert (
        with_exhaustion(poll_result(7, exhaustion=1.0), {KEY: use}).allowances[0].exhaustion is None
    )


def test_what_is_used_up_keeps_the_run_out_it_has() -> None:
    known = poll_result(560, 0, exhaustion=1.0)
    assert with_exhaustion(known, {KEY: watched(*weekdays_alone(28))}) is known


@pytest.mark.parametrize(("end", "out"), [(1, MONDAY + 36 * DAY), (0, None)], ids=["on", "over"])
def test_a_plan_that_is_over_does_not_run_out(end: float, out: float | None) -> None:
    use = watched(*weekdays_alone(28))
    refined = with_exhaustion(poll_result(560, 120, end=use.at + end), {KEY: use})
    assert refined.allowances[0].exhaustion == out


def test_a_state_keeps_watch_from_poll_to_poll() -> None:
    state = TargetState()
    for moment, used in weekdays_alone(28):
        outcome = PollOutcome(
            poll_result(used, 120, exhaustion=1.0, cumulative_only=True), 0.1, 1, moment, 0.0
        )
        state = state.after(outcome, stale_at=0.0)
    assert state.result is not None
    assert state.result.allowances[0].exhaustion == MONDAY + 36 * DAY
    assert state.last_poll is not None
    assert state.last_poll.result is state.result


LOOKS = st.lists(
    st.tuples(st.floats(0.0, 2 * DAY), st.integers(0, 10_000)), min_size=1, max_size=60
)


@given(LOOKS)
def test_days_are_consecutive_and_hold_exactly_what_was_used_since_they_began(
    policy: list[tuple[float, int]],
) -> None:
    seen: UsageByAllowance = {}
    now, used, expected, began = MONDAY, 0, 0, MONDAY
    for gap, more in policy:
        is_anew = gap > DAY or not seen
        now, used = now + gap, used + more
        expected, began = (0, now) if is_anew else (expected + more, began)
        seen = updated(seen, poll_result(used, cumulative_only=True), now)
        use = seen[KEY]
        assert use.at == now
        assert len(use.days) == min(30, now // DAY - began // DAY + 1)
        assert all(day >= 0 for day in use.days)
        assert sum(use.days) <= expected
        assert len(use.days) == 30 or sum(use.days) == expected
