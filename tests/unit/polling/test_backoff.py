from __future__ import annotations

import pytest
from fake_targets import POLL_RESULT
from hypothesis import example, given
from hypothesis import strategies as st
from scripted_poller import UNAUTHORIZED, UNAVAILABLE, poll_times

from exporter.config.models import PollSettings
from exporter.config.types import Duration
from exporter.model import FailureReason, PollError, PollFailure, PollResult, ScopeFailure
from exporter.polling.backoff import next_delay

MINUTELY = PollSettings(interval=Duration(60))


def test_jitter_varies_the_interval_by_a_twentieth_either_way() -> None:
    assert next_delay(POLL_RESULT, 0, 0, MINUTELY, lambda: 0) == pytest.approx(57)
    assert next_delay(POLL_RESULT, 0, 0, MINUTELY, lambda: 1) == pytest.approx(63)
    delays = [next_delay(POLL_RESULT, 0, 0, MINUTELY) for _ in range(100)]
    assert len(set(delays)) > 90
    assert all(57 <= delay <= 63 for delay in delays)


def test_a_poll_that_takes_longer_than_the_interval_is_followed_at_once() -> None:
    assert next_delay(POLL_RESULT, 0, 70, MINUTELY) == 0


def test_failures_back_off_from_an_eighth_of_the_interval_to_all_of_it() -> None:
    assert poll_times(UNAVAILABLE, seconds=300) == [
        *(0, 7.5, 22.5, 52.5, 112.5, 172.5, 232.5, 292.5),
    ]


def test_a_success_ends_the_back_off() -> None:
    times = poll_times(UNAVAILABLE, UNAVAILABLE, POLL_RESULT, UNAVAILABLE, seconds=91)
    assert times == [0, 7.5, 22.5, 82.5, 90]


def test_a_rejected_key_is_retried_soon_once_and_then_up_to_eight_times_less_often() -> None:
    assert poll_times(UNAUTHORIZED, seconds=2000) == [0, 7.5, 127.5, 367.5, 847.5, 1327.5, 1807.5]


def test_a_single_401_between_successful_polls_delays_the_next_success_by_seconds() -> None:
    times = poll_times(POLL_RESULT, UNAUTHORIZED, POLL_RESULT, seconds=130)
    assert times == [0, 60, 67.5, 127.5]


def test_retry_after_is_followed() -> None:
    busy = PollError(FailureReason.RATE_LIMITED, "HTTP status 429", 40)
    assert poll_times(busy, POLL_RESULT, seconds=101) == [0, 40, 100]


REASONS = st.sampled_from(FailureReason)
FAILURES = st.integers(1, 10**6)
INTERVALS = st.floats(1, 365 * 86_400)
RANDOM = st.floats(0, 1)


@given(REASONS, FAILURES, INTERVALS, RANDOM)
@example(FailureReason.AUTH, 1, 900, 1)
@example(FailureReason.AUTH, 2, 900, 0)
@example(FailureReason.DNS, 2, 900, 0.5)
def test_every_retry_comes_within_the_interval_except_after_repeated_auth_failures(
    reason: FailureReason, failures: int, interval: float, random: float
) -> None:
    poll = PollSettings(interval=Duration(interval))
    delay = next_delay(PollFailure(reason, ""), failures, 1, poll, lambda: random) / interval
    if failures == 1:
        assert 0 < delay <= 0.132
    elif reason == FailureReason.AUTH:
        assert 2 * 0.949 <= delay <= 8 * 1.051
    else:
        assert 0 < delay <= 1.051


@given(REASONS, FAILURES, INTERVALS)
def test_no_retry_comes_sooner_than_the_one_before(
    reason: FailureReason, failures: int, interval: float
) -> None:
    poll = PollSettings(interval=Duration(interval))
    delays = [
        next_delay(PollFailure(reason, ""), count, 1, poll, lambda: 0.5)
        for count in (failures, failures + 1)
    ]
    assert delays == sorted(delays)


@given(REASONS, FAILURES, INTERVALS, st.floats(0, 10**10))
def test_retry_after_is_followed_up_to_an_hour_and_never_shortens_the_back_off(
    reason: FailureReason, failures: int, interval: float, retry_after: float
) -> None:
    poll = PollSettings(interval=Duration(interval))
    usual = next_delay(PollFailure(reason, ""), failures, 1, poll, lambda: 0.5)
    delay = next_delay(PollFailure(reason, "", retry_after), failures, 1, poll, lambda: 0.5)
    assert delay == max(usual, min(retry_after, 3600))


@pytest.mark.parametrize(
    ("retry_after", "delay"), [(30, 60), (120, 120), (10**6, 3600), (None, 60)]
)
def test_a_scope_that_asks_to_wait_delays_the_next_poll(
    retry_after: float | None, delay: float
) -> None:
    failure = ScopeFailure(
        "group 7", FailureReason.RATE_LIMITED, "HTTP status 429", "group_id", "7", retry_after
    )
    result = PollResult((), scope_failures=(failure,))
    assert next_delay(result, 0, 0, MINUTELY, lambda: 0.5) == delay
