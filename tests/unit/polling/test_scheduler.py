"""The rhythm of polls, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fake_targets import POLL_RESULT, target
from hypothesis import given
from hypothesis import strategies as st
from scripted_poller import (
    DOWN,
    FOREVER,
    NOW,
    REFUSED,
    RecordedOutcomes,
    ScriptedPoller,
    hanging,
    pace,
    polled_for,
    polls_of,
    source,
    unlimited,
    wall_clock,
)
from virtual_time import elapsed, in_virtual_time

from exporter.config.models import PollSettings
from exporter.config.types import Duration
from exporter.model import FailureReason, PollError, PollFailure, PollOutcome, PollResult
from exporter.polling.backoff import next_delay
from exporter.polling.poll import Limits
from exporter.polling.scheduler import PollScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import Any

    from exporter.config.models import Target
    from exporter.vendors.base import Transport


def test_the_first_polls_start_at_once_one_after_the_other() -> None:
    fetches = [ScriptedPoller(POLL_RESULT) for _ in range(3)]
    sources = [source(target(f"t{index}"), fetch) for index, fetch in enumerate(fetches)]
    in_virtual_time(polled_for(10, *sources))
    assert [fetch.began for fetch in fetches] == [[0], [0.05], [0.1]]


@pytest.mark.parametrize(
    ("interval", "targets", "spread"), [("15m", 3000, 30), ("20s", 1000, 5), ("15m", 100, 5)]
)
def test_the_first_polls_are_spread_over_half_a_minute_or_a_quarter_of_the_interval(
    interval: str, targets: int, spread: float
) -> None:
    fetches = [ScriptedPoller(POLL_RESULT) for _ in range(targets)]
    polled = (target(f"t{index}", poll=pace(interval)) for index in range(targets))
    sources = [source(each, fetch) for each, fetch in zip(polled, fetches, strict=True)]
    in_virtual_time(polled_for(35, *sources))
    starts = [fetch.began[0] for fetch in fetches]
    assert spread * 0.9 < starts[-1] <= spread
    gaps = [after - before for before, after in pairwise(starts)]
    assert max(gaps) - min(gaps) < 1e-5


def test_polls_follow_each_other_at_the_interval_however_long_each_takes() -> None:
    assert polls_of(POLL_RESULT, 15.0, POLL_RESULT, seconds=200) == [0, 60, 120, 180]


def test_the_interval_varies_by_a_twentieth_either_way() -> None:
    poll = PollSettings(interval=Duration(60))
    assert next_delay(POLL_RESULT, 0, 0, poll, lambda: 0) == pytest.approx(57)
    assert next_delay(POLL_RESULT, 0, 0, poll, lambda: 1) == pytest.approx(63)
    draws = [next_delay(POLL_RESULT, 0, 0, poll) for _ in range(100)]
    assert len(set(draws)) > 90
    assert all(57 <= draw <= 63 for draw in draws)


def test_a_poll_that_takes_longer_than_the_interval_is_followed_at_once_never_overlapped() -> None:
    # Waiting for the rate limit may take that long; the fake insists on one poll at a time.
    assert next_delay(POLL_RESULT, 0, 70, PollSettings(interval=Duration(60))) == 0
    began = polls_of(POLL_RESULT, FOREVER, timeout="60s", seconds=400)
    assert began == [0, 60, 127.5, 202.5, 292.5]


def test_failures_back_off_from_an_eighth_of_the_interval_to_all_of_it() -> None:
    assert polls_of(DOWN, seconds=300) == [0, 7.5, 22.5, 52.5, 112.5, 172.5, 232.5, 292.5]


def test_a_success_ends_the_back_off() -> None:
    assert polls_of(DOWN, DOWN, POLL_RESULT, DOWN, seconds=91) == [0, 7.5, 22.5, 82.5, 90]


def test_a_refused_key_slows_polling_down_to_an_eighth() -> None:
    assert polls_of(REFUSED, seconds=3000) == [0, 120, 360, 840, 1320, 1800, 2280, 2760]


REASONS = st.sampled_from(FailureReason)
FAILURES = st.integers(1, 10**6)
INTERVALS = st.floats(1, 365 * 86_400)
CHANCES = st.floats(0, 1)


@given(REASONS, FAILURES, INTERVALS, CHANCES)
def test_every_retry_comes_within_the_interval_but_for_a_refused_key(
    reason: FailureReason, failures: int, interval: float, chance: float
) -> None:
    poll = PollSettings(interval=Duration(interval))
    delay = next_delay(PollFailure(reason, ""), failures, 1, poll, lambda: chance) / interval
    if reason == FailureReason.AUTH:
        assert 2 * 0.949 <= delay <= 8 * 1.051
    else:
        assert 0 < delay <= (0.132 if failures == 1 else 1.051)


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
def test_retry_after_is_obeyed_up_to_an_hour_and_never_hastens(
    reason: FailureReason, failures: int, interval: float, asked: float
) -> None:
    poll = PollSettings(interval=Duration(interval))
    usual = next_delay(PollFailure(reason, ""), failures, 1, poll, lambda: 0.5)
    delay = next_delay(PollFailure(reason, "", asked), failures, 1, poll, lambda: 0.5)
    assert delay == max(usual, min(asked, 3600))


def test_a_vendor_that_asks_for_time_gets_it() -> None:
    busy = PollError(FailureReason.RATE_LIMITED, "HTTP status 429", 40)
    assert polls_of(busy, POLL_RESULT, seconds=101) == [0, 40, 100]


# The key's file


def with_key_file(path: Path) -> Target:
    path.write_text("k1\n")
    each = target(api_key=None, api_key_file=str(path), poll=pace("15m"))
    assert each.api_key_file is not None
    return each


@pytest.mark.parametrize("reason", [FailureReason.AUTH, FailureReason.SECRET])
def test_a_changed_key_file_is_tried_at_once(tmp_path: Path, reason: FailureReason) -> None:
    fetch = ScriptedPoller(PollError(reason, "no"), POLL_RESULT)

    async def main() -> None:
        async with PollScheduler(
            lambda *_: None, unlimited(), wall_clock, lambda: 0.5
        ) as scheduler:
            scheduler.start([source(with_key_file(tmp_path / "key"), fetch)])
            await asyncio.sleep(11)
            (tmp_path / "key").write_text("another one\n")
            await asyncio.sleep(100)

    in_virtual_time(main())
    assert fetch.began == [0, 15]


def test_a_key_file_that_changed_during_the_poll_is_tried_at_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    began = []

    async def fetch(_: Transport, __: float) -> PollResult:
        began.append(elapsed())
        if len(began) == 1:
            path.write_text("another one\n")
            raise REFUSED
        return POLL_RESULT

    in_virtual_time(polled_for(100, source(with_key_file(path), fetch)))
    assert began == [0, 0]


def test_a_key_file_that_stays_is_no_reason_to_hurry(tmp_path: Path) -> None:
    fetch = ScriptedPoller(REFUSED)
    in_virtual_time(polled_for(3000, source(with_key_file(tmp_path / "key"), fetch)))
    assert fetch.began == [0, 1800]


# What is published


def test_every_poll_is_published_with_its_time_and_the_next_one_s() -> None:
    published = RecordedOutcomes()
    polls = source(target(poll=pace()), ScriptedPoller(15.0, DOWN))
    in_virtual_time(polled_for(62, polls, record=published))
    assert published.outcomes == [
        ("one", PollOutcome(POLL_RESULT, 15, 0, NOW + 15, NOW + 60)),
        ("one", PollOutcome(DOWN.failure, 0, 0, NOW + 60, NOW + 67.5)),
    ]


def test_a_jump_of_the_clock_moves_no_poll() -> None:
    jumps = iter([0, 0, 86_400, 86_400, -86_400, -86_400, 0, 0])
    published = RecordedOutcomes()
    fetch = ScriptedPoller(POLL_RESULT)

    def jumping() -> float:
        return NOW + next(jumps) + elapsed()

    polls = source(target(poll=pace()), fetch)
    in_virtual_time(polled_for(181, polls, record=published, now=jumping))
    assert fetch.began == [0, 60, 120, 180]
    assert [(each.at - NOW, each.next_at - NOW) for _, each in published.outcomes] == [
        (0, 60),
        (86_460, 86_520),
        (-86_280, -86_220),
        (180, 240),
    ]


def test_a_target_that_is_stopped_is_not_heard_of_again() -> None:
    published = RecordedOutcomes()
    kept, stopped = ScriptedPoller(POLL_RESULT), ScriptedPoller(30.0)

    async def main() -> None:
        async with PollScheduler(published, unlimited(), wall_clock, lambda: 0.5) as scheduler:
            scheduler.start([source(target("a", poll=pace(timeout="60s")), stopped)])
            scheduler.start([source(target("b", poll=pace()), kept)])
            await asyncio.sleep(10)
            assert "a" in scheduler
            scheduler.stop(["a"])
            assert "a" not in scheduler
            assert "b" in scheduler
            await asyncio.sleep(100)

    in_virtual_time(main())
    assert [name for name, _ in published.outcomes] == ["b", "b"]
    assert stopped.under_way == 0


def test_a_target_that_rests_has_no_task() -> None:
    async def main() -> set[str]:
        async with PollScheduler(lambda *_: None, unlimited()) as scheduler:
            scheduler.start(
                [source(target(str(at)), ScriptedPoller(POLL_RESULT)) for at in range(100)]
            )
            await asyncio.sleep(30)
            return {task.get_name() for task in asyncio.all_tasks()}

    assert len(in_virtual_time(main())) == 1


def test_a_target_that_is_stopped_before_its_turn_is_not_polled() -> None:
    fetches = [ScriptedPoller(0.5) for _ in range(3)]
    sources = [source(target(str(at), poll=pace()), fetch) for at, fetch in enumerate(fetches)]

    async def main() -> None:
        async with PollScheduler(
            lambda *_: None, Limits(1, 1000), wall_clock, lambda: 0.5
        ) as scheduler:
            scheduler.start(sources)
            await asyncio.sleep(0.2)
            scheduler.stop(["1"])
            await asyncio.sleep(10)

    in_virtual_time(main())
    assert [fetch.began for fetch in fetches] == [[0], [], [0.5]]


def leaving(main: Callable[[PollScheduler], Coroutine[Any, Any, None]]) -> list[str]:
    """Which fetches were given the chance to clean up when a fleet was left."""
    cleaned = []

    async def fetch(send: Transport, now: float) -> PollResult:
        try:
            return await hanging(send, now)
        finally:
            cleaned.append("poll")

    async def around() -> None:
        async with PollScheduler(lambda *_: None, unlimited()) as scheduler:
            scheduler.start(
                [source(target(), fetch), source(target("two"), ScriptedPoller(POLL_RESULT))]
            )
            await main(scheduler)

    in_virtual_time(around())
    return cleaned


def test_leaving_a_fleet_ends_its_polls() -> None:
    assert leaving(lambda _: asyncio.sleep(1)) == ["poll"]


def test_leaving_a_fleet_ends_the_waiting_for_its_hosts() -> None:
    async def main() -> float:
        limits = Limits(1, 0.001)
        await limits.turn("")
        async with PollScheduler(lambda *_: None, limits) as scheduler:
            scheduler.start([source(target(), hanging)])
            await asyncio.sleep(1)
        return elapsed()

    assert in_virtual_time(main()) == 1


def test_an_error_on_the_way_out_of_a_fleet_ends_its_polls_and_is_told() -> None:
    async def fail(_: PollScheduler) -> None:
        await asyncio.sleep(1)
        raise LookupError

    with pytest.raises(LookupError):
        leaving(fail)


def test_new_limits_hold_from_the_next_poll_on() -> None:
    fetches = [ScriptedPoller(0.5) for _ in range(3)]
    sources = [source(target(str(at), poll=pace()), fetch) for at, fetch in enumerate(fetches)]

    async def main() -> None:
        async with PollScheduler(
            lambda *_: None, unlimited(), wall_clock, lambda: 0.5
        ) as scheduler:
            scheduler.start(sources)
            scheduler.limit(Limits(1, 1000))
            await asyncio.sleep(10)

    in_virtual_time(main())
    assert [fetch.began for fetch in fetches] == [[0], [0.5], [1]]


def test_a_fault_of_our_own_ends_the_program_instead_of_one_target_in_silence() -> None:
    def record(name: str, _: PollOutcome) -> None:
        raise LookupError(name)

    with pytest.raises(ExceptionGroup) as caught:
        in_virtual_time(
            polled_for(10, source(target(), ScriptedPoller(POLL_RESULT)), record=record)
        )
    assert caught.group_contains(LookupError, match="one")


def test_after_a_fault_of_our_own_no_other_poll_begins() -> None:
    fetches = [ScriptedPoller(POLL_RESULT), ScriptedPoller(POLL_RESULT)]

    def record(name: str, _: PollOutcome) -> None:
        raise LookupError(name)

    async def main() -> None:
        async with PollScheduler(record, unlimited()) as scheduler:
            scheduler.start([source(target(str(at)), fetch) for at, fetch in enumerate(fetches)])
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(10)  # others end their work first

    with pytest.raises(ExceptionGroup) as caught:
        in_virtual_time(main())
    assert caught.group_contains(LookupError, match="0")
    assert [fetch.began for fetch in fetches] == [[0], []]


def test_each_change_of_state_is_one_line_and_each_poll_is_one_at_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "exporter.polling.scheduler")
    polls = source(
        target(poll=pace()),
        ScriptedPoller(POLL_RESULT, POLL_RESULT, DOWN, DOWN, REFUSED, POLL_RESULT),
    )
    in_virtual_time(polled_for(640, polls))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("DEBUG", "poll succeeded"),
        ("INFO", "target is up"),
        ("DEBUG", "poll succeeded"),
        ("DEBUG", "poll failed"),
        ("WARNING", "target is down"),
        ("DEBUG", "poll failed"),
        ("DEBUG", "poll failed"),
        ("WARNING", "target is down"),
        ("DEBUG", "poll succeeded"),
        ("INFO", "target is up"),
    ]
    last_failure = vars(caplog.records[7])
    fields = ("target", "vendor", "duration", "reason", "detail")
    assert [last_failure[field] for field in fields] == [
        "one",
        "acme",
        0,
        "auth",
        "HTTP status 401",
    ]
