"""Scripted polls in virtual time, for tests of the scheduler and the limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from fake_targets import POLL_RESULT, target
from virtual_time import elapsed, in_virtual_time

from exporter.client.client import Request
from exporter.model import FailureReason, PollError, PollOutcome, PollResult
from exporter.polling.limits import PollSlots, RateLimiter
from exporter.polling.poll import PollTarget
from exporter.polling.scheduler import PollScheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.config.models import Target
    from exporter.vendors.base import Poller, Transport

Step: TypeAlias = PollResult | Exception | float
"""What one poll does: succeed, fail, or take so many seconds and then succeed."""

NOW = 1_780_000_000.0
UNAUTHORIZED = PollError(FailureReason.AUTH, "HTTP status 401")
UNAVAILABLE = PollError(FailureReason.SERVER_ERROR, "HTTP status 503")
FOREVER = 10.0**9


async def send_nothing(_: Request) -> bytes:
    return b""


def request(send: Transport, host: str = "api") -> Awaitable[bytes]:
    return send(Request("GET", f"https://{host}/"))


class ScriptedPoller:
    """A poller that goes through its steps and repeats the last; records when polls started."""

    def __init__(self, *steps: Step) -> None:
        self.started: list[float] = []
        self.in_progress = 0
        self._steps = iter(steps)
        self._last = steps[-1]

    async def __call__(self, _send: Transport, _now: float) -> PollResult:
        self.started.append(round(elapsed(), 6))
        self.in_progress += 1
        assert self.in_progress == 1
        try:
            return await self._run(next(self._steps, self._last))
        finally:
            self.in_progress -= 1

    async def _run(self, step: Step) -> PollResult:
        if isinstance(step, Exception):
            raise step
        await asyncio.sleep(step if isinstance(step, float) else 0)
        return step if isinstance(step, PollResult) else POLL_RESULT


async def hang(send: Transport, now: float) -> PollResult:
    return await ScriptedPoller(FOREVER)(send, now)


class RecordedOutcomes:
    """What a scheduler records, in order."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, PollOutcome]] = []

    def __call__(self, name: str, outcome: PollOutcome) -> None:
        self.outcomes.append((name, outcome))


def ignore(_name: str, _outcome: PollOutcome) -> None:
    pass


def poll_settings(interval: str = "1m", timeout: str = "20s") -> dict[str, str]:
    return {"interval": interval, "timeout": timeout}


def poll_target(of: Target, poller: Poller) -> PollTarget:
    return PollTarget(of, poller, send_nothing)


def slots(max_concurrent: int = 1000, requests_per_second: float = 1000) -> PollSlots:
    return PollSlots(max_concurrent, RateLimiter(requests_per_second))


def wall_clock() -> float:
    return NOW + elapsed()


def scheduler(
    record: Callable[[str, PollOutcome], object] = ignore,
    limits: PollSlots | None = None,
    now: Callable[[], float] = wall_clock,
    clock: Callable[[], float] | None = None,
) -> PollScheduler:
    """A scheduler without jitter."""
    return PollScheduler(record, limits or slots(), now, clock, rng=lambda: 0.5)


async def run_scheduler(
    seconds: float,
    *poll_targets: PollTarget,
    record: Callable[[str, PollOutcome], object] = ignore,
    limits: PollSlots | None = None,
    now: Callable[[], float] = wall_clock,
    clock: Callable[[], float] | None = None,
) -> None:
    """Poll these targets for so long."""
    async with scheduler(record, limits, now, clock) as polling:
        polling.start(poll_targets)
        await asyncio.sleep(seconds)


def poll_times(*steps: Step, seconds: float = 100, **poll: str) -> list[float]:
    """When the polls of one target started whose interval is a minute."""
    poller = ScriptedPoller(*steps)
    each = poll_target(target(poll=poll_settings(**poll)), poller)
    in_virtual_time(run_scheduler(seconds, each))
    return poller.started
