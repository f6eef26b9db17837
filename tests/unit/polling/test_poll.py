"""One poll: its timeout, and which errors it turns into failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fake_targets import POLL_RESULT, target
from scripted_poller import (
    FOREVER,
    NOW,
    UNAUTHORIZED,
    ScriptedPoller,
    hang,
    poll_settings,
    poll_target,
    request,
)
from virtual_time import in_virtual_time

from exporter.model import FailureReason, PollError, PollFailure, PollResult
from exporter.polling.limits import RateLimiter
from exporter.polling.poll import poll_once

if TYPE_CHECKING:
    from exporter.vendors.base import Poller, Transport


def attempt(
    poller: Poller, requests_per_second: float = 1000, timeout: str = "20s"
) -> tuple[FailureReason | None, float, int]:
    """The failure reason of one poll, if it failed, its duration in seconds, and its requests."""
    each = poll_target(target(poll=poll_settings(timeout=timeout)), poller)
    result, duration, requests = in_virtual_time(
        poll_once(each, RateLimiter(requests_per_second), lambda: NOW)
    )
    return result.reason if isinstance(result, PollFailure) else None, round(duration, 6), requests


def test_the_poller_gets_the_wall_clock_time() -> None:
    async def poller(_: Transport, now: float) -> PollResult:
        assert now == NOW
        return POLL_RESULT

    assert attempt(poller) == (None, 0, 0)


def test_a_hung_vendor_costs_a_poll_its_timeout() -> None:
    assert attempt(ScriptedPoller(FOREVER)) == (FailureReason.TIMEOUT, 20, 0)


def test_all_requests_of_a_poll_share_its_timeout() -> None:
    async def poller(send: Transport, _: float) -> PollResult:
        while True:
            await request(send)
            await asyncio.sleep(6)

    assert attempt(poller) == (FailureReason.TIMEOUT, 20, 4)


def test_waiting_for_the_rate_limit_does_not_count_towards_the_timeout() -> None:
    async def poller(send: Transport, _: float) -> PollResult:
        for _ in range(4):  # at 0, 30, 60 and 90 seconds
            await request(send)
            await asyncio.sleep(4)
        return POLL_RESULT

    assert attempt(poller, 1 / 30) == (None, 94, 4)


def test_concurrent_waits_for_the_rate_limit_extend_the_timeout_once() -> None:
    async def poller(send: Transport, now: float) -> PollResult:
        await asyncio.gather(*(request(send) for _ in range(4)))  # the last at 90 seconds
        return await hang(send, now)

    assert attempt(poller, 1 / 30) == (FailureReason.TIMEOUT, 110, 4)


def test_a_request_at_the_moment_of_the_timeout_is_no_internal_error() -> None:
    async def poller(send: Transport, now: float) -> PollResult:
        await request(send)

        async def late() -> None:
            await asyncio.sleep(20 - 5e-10)  # both timers are due in the same iteration of the loop
            await request(send)

        async with asyncio.TaskGroup() as group:
            group.create_task(late())
            return await hang(send, now)

    assert attempt(poller, 1 / 30) == (FailureReason.TIMEOUT, 20, 1)


@pytest.mark.parametrize("error", [UNAUTHORIZED, PollError(FailureReason.DNS, "no such host")])
def test_a_poll_error_ends_a_poll_with_its_reason(error: PollError) -> None:
    assert attempt(ScriptedPoller(error)) == (error.reason, 0, 0)


@pytest.mark.parametrize("error", [KeyError("k1"), RecursionError(), UnicodeError(), OSError()])
def test_an_unexpected_error_is_internal_and_its_text_is_not_shown(error: Exception) -> None:
    each = poll_target(target(), ScriptedPoller(error))
    result = in_virtual_time(poll_once(each, RateLimiter(1000), lambda: NOW)).result
    assert isinstance(result, PollFailure)
    assert result.reason == FailureReason.INTERNAL
    kind, place = result.detail.removeprefix("unexpected ").split(" ")
    assert kind == type(error).__name__
    assert place.startswith("(scripted_poller.py:")
