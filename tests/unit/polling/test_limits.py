from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fake_targets import POLL_RESULT, target
from scripted_poller import (
    FOREVER,
    ScriptedPoller,
    poll_settings,
    poll_target,
    request,
    run_scheduler,
    slots,
    wall_clock,
)
from virtual_time import elapsed, in_virtual_time

from exporter.polling.limits import PollSlots, RateLimiter
from exporter.polling.poll import PollTarget, poll_once

if TYPE_CHECKING:
    from exporter.client.client import Request
    from exporter.model import PollResult
    from exporter.vendors.base import Transport


# Rate limiter


def test_requests_to_one_host_are_spaced_evenly() -> None:
    starts: list[tuple[str, float]] = []

    async def main() -> None:
        async def note(sent: Request) -> bytes:
            starts.append((sent.host, round(elapsed(), 6)))
            return b""

        async def poller(send: Transport, _: float) -> PollResult:
            await asyncio.gather(request(send, "a"), request(send, "a"), request(send, "b"))
            return POLL_RESULT

        rate_limiter = RateLimiter(5)
        each = PollTarget(target(), poller, note)
        await asyncio.gather(
            poll_once(each, rate_limiter, wall_clock), poll_once(each, rate_limiter, wall_clock)
        )

    in_virtual_time(main())
    assert sorted(starts) == [("a", 0), ("a", 0.2), ("a", 0.4), ("a", 0.6), ("b", 0), ("b", 0.2)]


async def acquire_after(rate_limiter: RateLimiter, *pauses: float) -> list[float]:
    """When requests could start that were wanted after these pauses."""
    times = []
    for pause in pauses:
        await asyncio.sleep(pause)
        await rate_limiter.acquire("a")
        times.append(elapsed())
    return times


def test_an_idle_host_does_not_accumulate_a_burst() -> None:
    assert in_virtual_time(acquire_after(RateLimiter(4), 0, 10, 0, 0)) == [0, 10, 10.25, 10.5]


def test_a_changed_rate_applies_to_the_next_request() -> None:
    async def main() -> list[float]:
        rate_limiter = RateLimiter(4)
        times = await acquire_after(rate_limiter, 0, 0)
        rate_limiter.requests_per_second = 1
        return times + await acquire_after(rate_limiter, 0, 0)

    assert in_virtual_time(main()) == [0, 0.25, 1.25, 2.25]


def test_a_cancelled_wait_for_the_rate_limit_delays_no_other_request() -> None:
    async def main() -> float:
        rate_limiter = RateLimiter(5)
        waiting = [asyncio.ensure_future(rate_limiter.acquire("a")) for _ in range(100)]
        await asyncio.sleep(0.1)
        last = asyncio.ensure_future(rate_limiter.acquire("a"))
        await asyncio.sleep(0)
        for each in waiting:
            each.cancel()
        await last
        return elapsed()

    assert in_virtual_time(main()) == 0.2


# Poll slots


async def hold(limits: PollSlots, seconds: float, host: str = "api") -> float:
    """Hold a slot for so long; when it was acquired."""
    async with limits.acquire(host):
        acquired = elapsed()
        await asyncio.sleep(seconds)
    return acquired


async def hold_all(limits: PollSlots, *seconds: float) -> list[float]:
    return await asyncio.gather(*(hold(limits, each) for each in seconds))


def test_no_more_polls_start_at_once_than_there_are_slots() -> None:
    assert in_virtual_time(hold_all(slots(2), *[0.5] * 5)) == [0, 0, 0.5, 0.5, 1]


def test_a_poll_frees_its_slot_after_a_second() -> None:
    assert in_virtual_time(hold_all(slots(2), *[100] * 5)) == [0, 0, 1, 1, 2]


def test_a_slot_is_freed_only_once() -> None:
    async def main() -> list[float]:
        limits = slots(1)
        await hold(limits, 0.5)
        await hold(limits, 5)
        cancelled = asyncio.create_task(hold(limits, 5))
        await asyncio.sleep(0.5)
        cancelled.cancel()
        start = elapsed()
        return [acquired - start for acquired in await hold_all(limits, *[0.5] * 3)]

    assert in_virtual_time(main()) == [0, 0.5, 1]


def test_a_cancelled_wait_for_a_slot_keeps_none() -> None:
    async def main() -> list[float]:
        limits = slots(1)
        waiting = [asyncio.create_task(hold(limits, 0.5)) for _ in range(4)]
        await asyncio.sleep(0.1)
        waiting[1].cancel()
        waiting[2].cancel()
        return [await waiting[0], await waiting[3]]

    assert in_virtual_time(main()) == [0, 0.5]


@pytest.mark.parametrize(
    ("changed", "acquired"), [(1, [0, 0, 1, 1.5]), (3, [0, 0, 0.5, 0.5])], ids=["fewer", "more"]
)
def test_a_changed_number_of_slots_applies_when_the_next_one_is_freed(
    changed: int, acquired: list[float]
) -> None:
    async def main() -> list[float]:
        limits = slots(2)
        holding = asyncio.gather(hold_all(limits, 0.5, 1, 0.5, 0.5))
        await asyncio.sleep(0.1)
        limits.max_concurrent = changed
        return (await holding)[0]

    assert in_virtual_time(main()) == acquired


def test_polls_that_the_rate_limit_delays_have_not_started() -> None:
    most = in_progress = done = 0

    async def poller(send: Transport, _: float) -> PollResult:
        nonlocal most, in_progress, done
        in_progress += 1
        most = max(most, in_progress)
        for _ in range(2):
            await request(send, "busy")
            await asyncio.sleep(0.1)
        in_progress -= 1
        done += 1
        return POLL_RESULT

    poll_targets = [
        poll_target(
            target(f"t{number}", base_url="https://busy", poll=poll_settings("15m")), poller
        )
        for number in range(1000)
    ]
    in_virtual_time(run_scheduler(100, *poll_targets, limits=slots(16, 5)))
    assert most <= 3
    assert 240 <= done <= 250


def test_a_busy_host_delays_no_other() -> None:
    async def poller(send: Transport, _: float) -> PollResult:
        await request(send, "busy")
        return POLL_RESULT

    busy = [
        poll_target(target(f"t{number}", base_url="https://busy", poll=poll_settings()), poller)
        for number in range(1000)
    ]
    other = ScriptedPoller(POLL_RESULT)
    last = poll_target(target("other", base_url="https://other", poll=poll_settings()), other)
    in_virtual_time(run_scheduler(200, *busy, last, limits=slots(1, 5)))
    assert other.started == pytest.approx([15, 75, 135, 195], abs=0.5)


def test_150_hung_targets_delay_ten_healthy_ones_by_seconds() -> None:
    hung = [
        poll_target(target(f"h{index}", poll=poll_settings()), ScriptedPoller(FOREVER))
        for index in range(150)
    ]
    healthy = [ScriptedPoller(POLL_RESULT) for _ in range(10)]
    others = [
        poll_target(target(f"t{index}", poll=poll_settings()), poller)
        for index, poller in enumerate(healthy)
    ]
    in_virtual_time(run_scheduler(1800, *hung, *others, limits=slots(16, 5)))
    for poller in healthy:
        assert poller.started[0] < 15
        assert max(after - before for before, after in pairwise(poller.started)) < 60 + 10
