"""What a poll and all polls together may use, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fake_targets import POLL_RESULT, target
from scripted_poller import (
    FOREVER,
    NOW,
    REFUSED,
    ScriptedPoller,
    call,
    hanging,
    pace,
    polled_for,
    source,
    unlimited,
    wall_clock,
)
from virtual_time import be_busy, elapsed, in_virtual_time

from exporter.model import FailureReason, PollError, PollFailure, PollResult
from exporter.polling.poll import Limits, PollTarget, poll_once

if TYPE_CHECKING:
    from exporter.client.client import Request
    from exporter.vendors.base import Poller, Transport


# The deadline


def attempted(
    fetch: Poller, limits: Limits | None = None, timeout: str = "20s"
) -> tuple[FailureReason | None, float, int]:
    """The reason for which one poll failed, if it did, the seconds it took, and its requests."""
    polled = source(target(poll=pace(timeout=timeout)), fetch)
    result, duration, requests = in_virtual_time(
        poll_once(polled, limits or unlimited(), lambda: NOW)
    )
    return result.reason if isinstance(result, PollFailure) else None, round(duration, 6), requests


def test_a_poll_is_given_the_time() -> None:
    async def fetch(_: Transport, now: float) -> PollResult:
        assert now == NOW
        return POLL_RESULT

    assert attempted(fetch) == (None, 0, 0)


def test_a_hung_vendor_costs_a_poll_its_timeout() -> None:
    assert attempted(ScriptedPoller(FOREVER)) == (FailureReason.TIMEOUT, 20, 0)


def test_all_requests_of_a_poll_share_its_timeout() -> None:
    async def fetch(send: Transport, _: float) -> PollResult:
        while True:
            await call(send)
            await asyncio.sleep(6)

    assert attempted(fetch) == (FailureReason.TIMEOUT, 20, 4)


def test_waiting_for_the_rate_limit_takes_nothing_from_the_timeout() -> None:
    async def fetch(send: Transport, _: float) -> PollResult:
        for _ in range(4):  # at 0, 30, 60 and 90 seconds
            await call(send)
            await asyncio.sleep(4)
        return POLL_RESULT

    assert attempted(fetch, Limits(1, 1 / 30)) == (None, 94, 4)


def test_requests_that_wait_together_do_not_add_up_their_waiting() -> None:
    async def fetch(send: Transport, now: float) -> PollResult:
        await asyncio.gather(*(call(send) for _ in range(4)))  # the last at 90 seconds
        return await hanging(send, now)

    assert attempted(fetch, Limits(1, 1 / 30)) == (FailureReason.TIMEOUT, 110, 4)


def test_a_request_that_comes_as_time_runs_out_is_no_internal_error() -> None:
    limits = Limits(1, 1 / 30)

    async def fetch(send: Transport, now: float) -> PollResult:
        await call(send)

        async def late() -> None:
            await asyncio.sleep(20 - 5e-10)  # both timers are due in the same turn of the loop
            await call(send)

        async with asyncio.TaskGroup() as group:
            group.create_task(late())
            return await hanging(send, now)

    assert attempted(fetch, limits) == (FailureReason.TIMEOUT, 20, 1)


@pytest.mark.parametrize("error", [REFUSED, PollError(FailureReason.DNS, "no such host")])
def test_a_poll_error_ends_a_poll_with_its_reason(error: PollError) -> None:
    assert attempted(ScriptedPoller(error)) == (error.reason, 0, 0)


@pytest.mark.parametrize("error", [KeyError("k1"), RecursionError(), UnicodeError(), OSError()])
def test_an_error_nobody_foresaw_is_internal_and_its_text_is_not_told(error: Exception) -> None:
    polled = source(target(), ScriptedPoller(error))
    result = in_virtual_time(poll_once(polled, unlimited(), lambda: NOW)).result
    assert isinstance(result, PollFailure)
    assert result.reason == FailureReason.INTERNAL
    kind, place = result.detail.removeprefix("unexpected ").split(" ")
    assert kind == type(error).__name__
    assert place.startswith("(scripted_poller.py:")


# What all polls share


def test_requests_to_one_host_keep_their_distance() -> None:
    starts: list[tuple[str, float]] = []

    async def main() -> None:
        async def note(request: Request) -> bytes:
            starts.append((request.host, round(elapsed(), 6)))
            return b""

        async def fetch(send: Transport, _: float) -> PollResult:
            await asyncio.gather(call(send, "a"), call(send, "a"), call(send, "b"))
            return POLL_RESULT

        limits = Limits(10, 5)
        each = PollTarget(target(), fetch, note)
        await asyncio.gather(
            poll_once(each, limits, wall_clock), poll_once(each, limits, wall_clock)
        )

    in_virtual_time(main())
    assert sorted(starts) == [("a", 0), ("a", 0.2), ("a", 0.4), ("a", 0.6), ("b", 0), ("b", 0.2)]


def test_a_host_that_was_left_alone_has_no_turns_saved_up() -> None:
    async def main() -> list[float]:
        limits = Limits(10, 4)
        turns = []
        for rest in (0, 10, 0, 0):
            await asyncio.sleep(rest)
            await limits.turn("a")
            turns.append(elapsed())
        return turns

    assert in_virtual_time(main()) == [0, 10, 10.25, 10.5]


def test_who_gives_up_waiting_for_a_turn_holds_up_nobody() -> None:
    async def main() -> float:
        limits = Limits(10, 5)
        crowd = [asyncio.ensure_future(limits.turn("a")) for _ in range(100)]
        await asyncio.sleep(0.1)
        last = asyncio.ensure_future(limits.turn("a"))
        await asyncio.sleep(0)
        for waiting in crowd:
            waiting.cancel()
        await last
        return elapsed()

    assert in_virtual_time(main()) == 0.2


async def held(limits: Limits, seconds: float) -> float:
    """Hold a slot for so long; when it was had."""
    with await limits.slot():
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


def test_no_poll_makes_way_while_it_is_the_program_that_is_slow() -> None:
    async def main() -> list[float]:
        limits = Limits(2, 1)
        polls = asyncio.gather(*(held(limits, 2.5) for _ in range(4)))
        await asyncio.sleep(0.9)
        be_busy(0.3)
        return await polls

    assert [round(had, 6) for had in in_virtual_time(main())] == [0, 0, 2.2, 2.2]


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


def test_polls_that_the_rate_limit_holds_up_have_not_begun() -> None:
    most = under_way = done = 0

    async def fetch(send: Transport, _: float) -> PollResult:
        nonlocal most, under_way, done
        under_way += 1
        most = max(most, under_way)
        for _ in range(2):
            await call(send, "crowded")
            await asyncio.sleep(0.1)
        under_way -= 1
        done += 1
        return POLL_RESULT

    crowd = [
        source(target(f"t{number}", base_url="https://crowded", poll=pace("15m")), fetch)
        for number in range(1000)
    ]
    in_virtual_time(polled_for(100, *crowd, limits=Limits(16, 5)))
    assert most <= 3
    assert 240 <= done <= 250


def test_a_crowded_host_delays_no_other() -> None:
    async def fetch(send: Transport, _: float) -> PollResult:
        await call(send, "crowded")
        return POLL_RESULT

    crowd = [
        source(target(f"t{number}", base_url="https://crowded", poll=pace()), fetch)
        for number in range(1000)
    ]
    other = ScriptedPoller(POLL_RESULT)
    last = source(target("other", base_url="https://other", poll=pace()), other)
    in_virtual_time(polled_for(200, *crowd, last, limits=Limits(1, 5)))
    assert other.began == pytest.approx([15, 75, 135, 195], abs=0.5)


def test_150_hung_targets_delay_ten_healthy_ones_by_seconds() -> None:
    hung = [
        source(target(f"h{index}", poll=pace()), ScriptedPoller(FOREVER)) for index in range(150)
    ]
    healthy = [ScriptedPoller(POLL_RESULT) for _ in range(10)]
    others = [
        source(target(f"t{index}", poll=pace()), fetch) for index, fetch in enumerate(healthy)
    ]
    in_virtual_time(polled_for(1800, *hung, *others, limits=Limits(16, 5)))
    for fetch in healthy:
        assert fetch.began[0] < 15
        assert max(after - before for before, after in pairwise(fetch.began)) < 60 + 10
