"""The rhythm of polls and their limits, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import pytest
from fake_targets import READING, target
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import elapsed, in_virtual_time

from exporter.config.fields import Duration
from exporter.config.models import Pace
from exporter.polling import Fleet, Limits, Source, delay_after, poll_once
from exporter.records import Failure, Outcome, PollError, Reading, Reason
from exporter.vendors._http import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path
    from typing import Any

    from exporter.config.models import Target
    from exporter.vendors import Fetch, Send

Step: TypeAlias = Reading | Exception | float
"""What one poll does: succeed, fail, or take so many seconds and then succeed."""

NOW = 1_780_000_000.0
REFUSED = PollError(Reason.AUTH, "HTTP status 401")
DOWN = PollError(Reason.SERVER_ERROR, "HTTP status 503")
FOREVER = 10.0**9


async def reply(_: Request) -> bytes:
    return b""


def call(send: Send, host: str = "api") -> Awaitable[bytes]:
    return send(Request("GET", f"https://{host}/"))


class Rehearsed:
    """A fetch that goes through its steps and repeats the last; knows when each poll began."""

    def __init__(self, *steps: Step) -> None:
        self.began: list[float] = []
        self.under_way = 0
        self._steps = iter(steps)
        self._last = steps[-1]

    async def __call__(self, _send: Send, _now: float) -> Reading:
        self.began.append(round(elapsed(), 6))
        self.under_way += 1
        assert self.under_way == 1
        try:
            return await self._go_through(next(self._steps, self._last))
        finally:
            self.under_way -= 1

    async def _go_through(self, step: Step) -> Reading:
        if isinstance(step, Exception):
            raise step
        await asyncio.sleep(step if isinstance(step, float) else 0)
        return READING


async def hanging(send: Send, now: float) -> Reading:
    return await Rehearsed(FOREVER)(send, now)


class Published:
    """What a fleet publishes, in order."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, Outcome]] = []

    def __call__(self, name: str, outcome: Outcome) -> None:
        self.outcomes.append((name, outcome))


def pace(interval: str = "1m", timeout: str = "20s") -> dict[str, str]:
    return {"interval": interval, "timeout": timeout}


def source(of: Target, fetch: Fetch) -> Source:
    return Source(of, fetch, reply)


def unlimited() -> Limits:
    return Limits(1000, 1000)


def wall_clock() -> float:
    return NOW + elapsed()


async def polled_for(
    seconds: float,
    *sources: Source,
    publish: Callable[[str, Outcome], None] = lambda *_: None,
    limits: Limits | None = None,
    now: Callable[[], float] = wall_clock,
) -> None:
    """Let a fleet without jitter poll these for so long."""
    async with Fleet(publish, limits or unlimited(), now, lambda: 0.5) as fleet:
        fleet.start(sources)
        await asyncio.sleep(seconds)


def polls_of(*steps: Step, seconds: float = 100, **poll: str) -> list[float]:
    """When the polls of one target began whose interval is a minute."""
    fetch = Rehearsed(*steps)
    in_virtual_time(polled_for(seconds, source(target(poll=pace(**poll)), fetch)))
    return fetch.began


# The rhythm


def test_the_first_polls_start_at_once_one_after_the_other() -> None:
    fetches = [Rehearsed(READING) for _ in range(3)]
    sources = [source(target(f"t{index}"), fetch) for index, fetch in enumerate(fetches)]
    in_virtual_time(polled_for(10, *sources))
    assert [fetch.began for fetch in fetches] == [[0], [0.05], [0.1]]


@pytest.mark.parametrize(
    ("interval", "targets", "spread"), [("15m", 3000, 30), ("20s", 1000, 5), ("15m", 100, 5)]
)
def test_the_first_polls_are_spread_over_half_a_minute_or_a_quarter_of_the_interval(
    interval: str, targets: int, spread: float
) -> None:
    fetches = [Rehearsed(READING) for _ in range(targets)]
    polled = (target(f"t{index}", poll=pace(interval)) for index in range(targets))
    sources = [source(each, fetch) for each, fetch in zip(polled, fetches, strict=True)]
    in_virtual_time(polled_for(35, *sources))
    starts = [fetch.began[0] for fetch in fetches]
    assert spread * 0.9 < starts[-1] <= spread
    gaps = [after - before for before, after in pairwise(starts)]
    assert max(gaps) - min(gaps) < 1e-5


def test_polls_follow_each_other_at_the_interval_however_long_each_takes() -> None:
    assert polls_of(READING, 15.0, READING, seconds=200) == [0, 60, 120, 180]


def test_the_interval_varies_by_a_twentieth_either_way() -> None:
    poll = Pace(interval=Duration(60))
    assert delay_after(READING, 0, 0, poll, lambda: 0) == pytest.approx(57)
    assert delay_after(READING, 0, 0, poll, lambda: 1) == pytest.approx(63)
    draws = [delay_after(READING, 0, 0, poll) for _ in range(100)]
    assert len(set(draws)) > 90
    assert all(57 <= draw <= 63 for draw in draws)


def test_a_poll_that_takes_longer_than_the_interval_is_followed_at_once_never_overlapped() -> None:
    # Waiting for the rate limit may take that long; the fake insists on one poll at a time.
    assert delay_after(READING, 0, 70, Pace(interval=Duration(60))) == 0
    began = polls_of(READING, FOREVER, timeout="60s", seconds=400)
    assert began == [0, 60, 127.5, 202.5, 292.5]


def test_failures_back_off_from_an_eighth_of_the_interval_to_all_of_it() -> None:
    assert polls_of(DOWN, seconds=300) == [0, 7.5, 22.5, 52.5, 112.5, 172.5, 232.5, 292.5]


def test_a_success_ends_the_back_off() -> None:
    assert polls_of(DOWN, DOWN, READING, DOWN, seconds=91) == [0, 7.5, 22.5, 82.5, 90]


def test_a_refused_key_slows_polling_down_to_an_eighth() -> None:
    assert polls_of(REFUSED, seconds=3000) == [0, 120, 360, 840, 1320, 1800, 2280, 2760]


REASONS = st.sampled_from(Reason)
FAILURES = st.integers(1, 10**6)
INTERVALS = st.floats(1, 365 * 86_400)
CHANCES = st.floats(0, 1)


@given(REASONS, FAILURES, INTERVALS, CHANCES)
def test_every_retry_comes_within_the_interval_but_for_a_refused_key(
    reason: Reason, failures: int, interval: float, chance: float
) -> None:
    poll = Pace(interval=Duration(interval))
    delay = delay_after(Failure(reason, ""), failures, 1, poll, lambda: chance) / interval
    if reason == Reason.AUTH:
        assert 2 * 0.949 <= delay <= 8 * 1.051
    else:
        assert 0 < delay <= (0.132 if failures == 1 else 1.051)


@given(REASONS, FAILURES, INTERVALS)
def test_no_retry_comes_sooner_than_the_one_before(
    reason: Reason, failures: int, interval: float
) -> None:
    poll = Pace(interval=Duration(interval))
    delays = [
        delay_after(Failure(reason, ""), count, 1, poll, lambda: 0.5)
        for count in (failures, failures + 1)
    ]
    assert delays == sorted(delays)


@given(REASONS, FAILURES, INTERVALS, st.floats(0, 10**10))
def test_retry_after_is_obeyed_up_to_an_hour_and_never_hastens(
    reason: Reason, failures: int, interval: float, asked: float
) -> None:
    poll = Pace(interval=Duration(interval))
    usual = delay_after(Failure(reason, ""), failures, 1, poll, lambda: 0.5)
    delay = delay_after(Failure(reason, "", asked), failures, 1, poll, lambda: 0.5)
    assert delay == max(usual, min(asked, 3600))


def test_a_vendor_that_asks_for_time_gets_it() -> None:
    busy = PollError(Reason.RATE_LIMITED, "HTTP status 429", 40)
    assert polls_of(busy, READING, seconds=101) == [0, 40, 100]


# The deadline


def attempted(
    fetch: Fetch, limits: Limits | None = None, timeout: str = "20s"
) -> tuple[Reason | None, float, int]:
    """The reason for which one poll failed, if it did, the seconds it took, and its requests."""
    polled = source(target(poll=pace(timeout=timeout)), fetch)
    result, took, requests = in_virtual_time(poll_once(polled, limits or unlimited(), lambda: NOW))
    return result.reason if isinstance(result, Failure) else None, round(took, 6), requests


def test_a_poll_is_given_the_time() -> None:
    async def fetch(_: Send, now: float) -> Reading:
        assert now == NOW
        return READING

    assert attempted(fetch) == (None, 0, 0)


def test_a_hung_vendor_costs_a_poll_its_timeout() -> None:
    assert attempted(Rehearsed(FOREVER)) == (Reason.TIMEOUT, 20, 0)


def test_all_requests_of_a_poll_share_its_timeout() -> None:
    async def fetch(send: Send, _: float) -> Reading:
        while True:
            await call(send)
            await asyncio.sleep(6)

    assert attempted(fetch) == (Reason.TIMEOUT, 20, 4)


def test_waiting_for_the_rate_limit_takes_nothing_from_the_timeout() -> None:
    async def fetch(send: Send, _: float) -> Reading:
        for _ in range(4):  # at 0, 30, 60 and 90 seconds
            await call(send)
            await asyncio.sleep(4)
        return READING

    assert attempted(fetch, Limits(1, 1 / 30)) == (None, 94, 4)


def test_requests_that_wait_together_do_not_add_up_their_waiting() -> None:
    async def fetch(send: Send, now: float) -> Reading:
        await asyncio.gather(*(call(send) for _ in range(4)))  # the last at 90 seconds
        return await hanging(send, now)

    assert attempted(fetch, Limits(1, 1 / 30)) == (Reason.TIMEOUT, 110, 4)


def test_a_request_that_comes_as_time_runs_out_is_no_internal_error() -> None:
    limits = Limits(1, 1 / 30)

    async def fetch(send: Send, now: float) -> Reading:
        await call(send)

        async def late() -> None:
            await asyncio.sleep(20 - 5e-10)  # both timers are due in the same turn of the loop
            await call(send)

        async with asyncio.TaskGroup() as group:
            group.create_task(late())
            return await hanging(send, now)

    assert attempted(fetch, limits) == (Reason.TIMEOUT, 20, 1)


@pytest.mark.parametrize("error", [REFUSED, PollError(Reason.DNS, "no such host")])
def test_a_poll_error_ends_a_poll_with_its_reason(error: PollError) -> None:
    assert attempted(Rehearsed(error)) == (error.reason, 0, 0)


@pytest.mark.parametrize("error", [KeyError("k1"), RecursionError(), UnicodeError(), OSError()])
def test_an_error_nobody_foresaw_is_internal_and_its_text_is_not_told(error: Exception) -> None:
    polled = source(target(), Rehearsed(error))
    result = in_virtual_time(poll_once(polled, unlimited(), lambda: NOW)).result
    assert isinstance(result, Failure)
    assert result.reason == Reason.INTERNAL
    kind, place = result.detail.removeprefix("unexpected ").split(" ")
    assert kind == type(error).__name__
    assert place.startswith("(test_polling.py:")


# What all polls share


def test_requests_to_one_host_keep_their_distance() -> None:
    starts: list[tuple[str, float]] = []

    async def main() -> None:
        async def note(request: Request) -> bytes:
            starts.append((request.host, round(elapsed(), 6)))
            return b""

        async def fetch(send: Send, _: float) -> Reading:
            await asyncio.gather(call(send, "a"), call(send, "a"), call(send, "b"))
            return READING

        limits = Limits(10, 5)
        each = Source(target(), fetch, note)
        await asyncio.gather(
            poll_once(each, limits, wall_clock), poll_once(each, limits, wall_clock)
        )

    in_virtual_time(main())
    assert sorted(starts) == [("a", 0), ("a", 0.2), ("a", 0.4), ("a", 0.6), ("b", 0), ("b", 0.2)]


def test_a_host_that_was_left_alone_has_no_turns_saved_up() -> None:
    limits = Limits(10, 4)
    assert [limits.turn("a", now) for now in (0, 10, 10, 10)] == [0, 10, 10.25, 10.5]


async def held(limits: Limits, seconds: float) -> float:
    """Hold a slot for so long; when it was had."""
    async with limits.slot():
        had = elapsed()
        await asyncio.sleep(seconds)
    return had


def test_no_more_polls_start_together_than_there_are_slots() -> None:
    async def main() -> list[float]:
        limits = Limits(2, 1)
        return await asyncio.gather(*(held(limits, 0.5) for _ in range(5)))

    assert in_virtual_time(main()) == [0, 0, 0.5, 0.5, 1]


def test_a_poll_that_waits_over_a_second_lets_another_one_start() -> None:
    async def main() -> list[float]:
        limits = Limits(2, 1)
        return await asyncio.gather(*(held(limits, 100) for _ in range(5)))

    assert in_virtual_time(main()) == [0, 0, 1, 1, 2]


def test_a_slot_is_given_back_once() -> None:
    async def main() -> list[float]:
        limits = Limits(1, 1)
        await held(limits, 0.5)
        await held(limits, 5)
        cancelled = asyncio.create_task(held(limits, 5))
        await asyncio.sleep(0.5)
        cancelled.cancel()
        began = elapsed()
        return [had - began for had in await asyncio.gather(*(held(limits, 0.5) for _ in range(3)))]

    assert in_virtual_time(main()) == [0, 0.5, 1]


def test_150_hung_targets_delay_ten_healthy_ones_by_seconds() -> None:
    hung = [source(target(f"h{index}", poll=pace()), Rehearsed(FOREVER)) for index in range(150)]
    healthy = [Rehearsed(READING) for _ in range(10)]
    others = [
        source(target(f"t{index}", poll=pace()), fetch) for index, fetch in enumerate(healthy)
    ]
    in_virtual_time(polled_for(1800, *hung, *others, limits=Limits(16, 5)))
    for fetch in healthy:
        assert fetch.began[0] < 15
        assert max(after - before for before, after in pairwise(fetch.began)) < 60 + 10


# The key's file


def with_key_file(path: Path) -> Target:
    path.write_text("k1\n")
    each = target(api_key=None, api_key_file=str(path), poll=pace("15m"))
    assert each.api_key_file is not None
    return each


@pytest.mark.parametrize("reason", [Reason.AUTH, Reason.SECRET])
def test_a_changed_key_file_is_tried_at_once(tmp_path: Path, reason: Reason) -> None:
    fetch = Rehearsed(PollError(reason, "no"), READING)

    async def main() -> None:
        async with Fleet(lambda *_: None, unlimited(), wall_clock, lambda: 0.5) as fleet:
            fleet.start([source(with_key_file(tmp_path / "key"), fetch)])
            await asyncio.sleep(11)
            (tmp_path / "key").write_text("another one\n")
            await asyncio.sleep(100)

    in_virtual_time(main())
    assert fetch.began == [0, 15]


def test_a_key_file_that_changed_during_the_poll_is_tried_at_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    began = []

    async def fetch(_: Send, __: float) -> Reading:
        began.append(elapsed())
        if len(began) == 1:
            path.write_text("another one\n")
            raise REFUSED
        return READING

    in_virtual_time(polled_for(100, source(with_key_file(path), fetch)))
    assert began == [0, 0]


def test_a_key_file_that_stays_is_no_reason_to_hurry(tmp_path: Path) -> None:
    fetch = Rehearsed(REFUSED)
    in_virtual_time(polled_for(3000, source(with_key_file(tmp_path / "key"), fetch)))
    assert fetch.began == [0, 1800]


# What is published


def test_every_poll_is_published_with_its_time_and_the_next_one_s() -> None:
    published = Published()
    polls = source(target(poll=pace()), Rehearsed(15.0, DOWN))
    in_virtual_time(polled_for(62, polls, publish=published))
    assert published.outcomes == [
        ("one", Outcome(READING, 15, 0, NOW + 15, NOW + 60)),
        ("one", Outcome(DOWN.failure, 0, 0, NOW + 60, NOW + 67.5)),
    ]


def test_a_jump_of_the_clock_moves_no_poll() -> None:
    jumps = iter([0, 0, 86_400, 86_400, -86_400, -86_400, 0, 0])
    published = Published()
    fetch = Rehearsed(READING)

    def jumping() -> float:
        return NOW + next(jumps) + elapsed()

    polls = source(target(poll=pace()), fetch)
    in_virtual_time(polled_for(181, polls, publish=published, now=jumping))
    assert fetch.began == [0, 60, 120, 180]
    assert [(each.at - NOW, each.next_at - NOW) for _, each in published.outcomes] == [
        (0, 60),
        (86_460, 86_520),
        (-86_280, -86_220),
        (180, 240),
    ]


def test_a_target_that_is_stopped_is_not_heard_of_again() -> None:
    published = Published()
    kept, stopped = Rehearsed(READING), Rehearsed(30.0)

    async def main() -> None:
        async with Fleet(published, unlimited(), wall_clock, lambda: 0.5) as fleet:
            fleet.start([source(target("a", poll=pace(timeout="60s")), stopped)])
            fleet.start([source(target("b", poll=pace()), kept)])
            await asyncio.sleep(10)
            assert "a" in fleet
            fleet.stop(["a"])
            assert "a" not in fleet
            assert "b" in fleet
            await asyncio.sleep(100)

    in_virtual_time(main())
    assert [name for name, _ in published.outcomes] == ["b", "b"]
    assert stopped.under_way == 0


def leaving(main: Callable[[Fleet], Coroutine[Any, Any, None]]) -> list[str]:
    """Which fetches were given the chance to clean up when a fleet was left."""
    cleaned = []

    async def fetch(send: Send, now: float) -> Reading:
        try:
            return await hanging(send, now)
        finally:
            cleaned.append("poll")

    async def around() -> None:
        async with Fleet(lambda *_: None, unlimited()) as fleet:
            fleet.start([source(target(), fetch), source(target("two"), Rehearsed(READING))])
            await main(fleet)

    in_virtual_time(around())
    return cleaned


def test_leaving_a_fleet_ends_its_polls() -> None:
    assert leaving(lambda _: asyncio.sleep(1)) == ["poll"]


def test_an_error_on_the_way_out_of_a_fleet_ends_its_polls_and_is_told() -> None:
    async def fail(_: Fleet) -> None:
        await asyncio.sleep(1)
        raise LookupError

    with pytest.raises(LookupError):
        leaving(fail)


def test_new_limits_hold_from_the_next_poll_on() -> None:
    fetches = [Rehearsed(0.5) for _ in range(3)]
    sources = [source(target(str(at), poll=pace()), fetch) for at, fetch in enumerate(fetches)]

    async def main() -> None:
        async with Fleet(lambda *_: None, unlimited(), wall_clock, lambda: 0.5) as fleet:
            fleet.start(sources)
            fleet.limit(Limits(1, 1000))
            await asyncio.sleep(10)

    in_virtual_time(main())
    assert [fetch.began for fetch in fetches] == [[0], [0.5], [1]]


def test_a_fault_of_our_own_ends_the_program_instead_of_one_target_in_silence() -> None:
    def publish(name: str, _: Outcome) -> None:
        raise LookupError(name)

    with pytest.raises(ExceptionGroup) as caught:
        in_virtual_time(polled_for(10, source(target(), Rehearsed(READING)), publish=publish))
    assert caught.group_contains(LookupError, match="one")


def test_each_change_of_state_is_one_line_and_each_poll_is_one_at_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "exporter.polling")
    polls = source(target(poll=pace()), Rehearsed(READING, READING, DOWN, DOWN, REFUSED, READING))
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
