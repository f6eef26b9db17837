"""Polls by a script, in virtual time, for tests of their rhythm and limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from fake_targets import READING, target
from virtual_time import elapsed, in_virtual_time

from exporter.fleet import Fleet
from exporter.polling import Limits, Source
from exporter.records import Outcome, PollError, Reading, Reason
from exporter.vendors._http import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
