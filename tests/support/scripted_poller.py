"""Polls by a script, in virtual time, for tests of their rhythm and limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from fake_targets import POLL_RESULT, target
from virtual_time import elapsed, in_virtual_time

from exporter.client.client import Request
from exporter.model import FailureReason, PollError, PollOutcome, PollResult
from exporter.polling.poll import Limits, PollTarget
from exporter.polling.scheduler import PollScheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.config.models import Target
    from exporter.vendors.base import Poller, Transport

Step: TypeAlias = PollResult | Exception | float
"""What one poll does: succeed, fail, or take so many seconds and then succeed."""

NOW = 1_780_000_000.0
REFUSED = PollError(FailureReason.AUTH, "HTTP status 401")
DOWN = PollError(FailureReason.SERVER_ERROR, "HTTP status 503")
FOREVER = 10.0**9


async def reply(_: Request) -> bytes:
    return b""


def call(send: Transport, host: str = "api") -> Awaitable[bytes]:
    return send(Request("GET", f"https://{host}/"))


class ScriptedPoller:
    """A fetch that goes through its steps and repeats the last; knows when each poll began."""

    def __init__(self, *steps: Step) -> None:
        self.began: list[float] = []
        self.under_way = 0
        self._steps = iter(steps)
        self._last = steps[-1]

    async def __call__(self, _send: Transport, _now: float) -> PollResult:
        self.began.append(round(elapsed(), 6))
        self.under_way += 1
        assert self.under_way == 1
        try:
            return await self._go_through(next(self._steps, self._last))
        finally:
            self.under_way -= 1

    async def _go_through(self, step: Step) -> PollResult:
        if isinstance(step, Exception):
            raise step
        await asyncio.sleep(step if isinstance(step, float) else 0)
        return POLL_RESULT


async def hanging(send: Transport, now: float) -> PollResult:
    return await ScriptedPoller(FOREVER)(send, now)


class RecordedOutcomes:
    """What a fleet publishes, in order."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, PollOutcome]] = []

    def __call__(self, name: str, outcome: PollOutcome) -> None:
        self.outcomes.append((name, outcome))


def pace(interval: str = "1m", timeout: str = "20s") -> dict[str, str]:
    return {"interval": interval, "timeout": timeout}


def source(of: Target, fetch: Poller) -> PollTarget:
    return PollTarget(of, fetch, reply)


def unlimited() -> Limits:
    return Limits(1000, 1000)


def wall_clock() -> float:
    return NOW + elapsed()


async def polled_for(
    seconds: float,
    *sources: PollTarget,
    record: Callable[[str, PollOutcome], None] = lambda *_: None,
    limits: Limits | None = None,
    now: Callable[[], float] = wall_clock,
) -> None:
    """Let a fleet without jitter poll these for so long."""
    async with PollScheduler(record, limits or unlimited(), now, lambda: 0.5) as scheduler:
        scheduler.start(sources)
        await asyncio.sleep(seconds)


def polls_of(*steps: Step, seconds: float = 100, **poll: str) -> list[float]:
    """When the polls of one target began whose interval is a minute."""
    fetch = ScriptedPoller(*steps)
    in_virtual_time(polled_for(seconds, source(target(poll=pace(**poll)), fetch)))
    return fetch.began
