"""Polls per second of processor time, compared with bare httpx making the same requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import httpx

from benchmarks import programs
from benchmarks.workload import config
from exporter.app import create_poll_target, load_config
from exporter.client.client import HttpClient
from exporter.metrics.cache import MetricsCache
from exporter.metrics.exposition import Format
from exporter.model import PollFailure, PollOutcome
from exporter.polling.limits import RateLimiter
from exporter.polling.poll import poll_once
from exporter.state.store import StateStore

if TYPE_CHECKING:
    from pathlib import Path

PollFunction: TypeAlias = Callable[[int], Awaitable[None]]
"""Makes the poll with this number."""

TARGETS: Final = 100
FEW, MANY = 10, 200  # polls in flight
_ROUNDS: Final = 5
_POLLS: Final = 500  # in each round


class Rates(NamedTuple):
    """Polls per second of processor time."""

    httpx: float
    exporter: float
    exporter_with_many: float


def measure(folder: Path) -> dict[str, Rates]:
    """Measure with responses that never change, and with ones that always do."""
    found = {}
    for responses in ("unchanged", "changed"):
        with programs.vendors(TARGETS, responses) as url:
            file = folder / "polling.yaml"
            file.write_text(config(TARGETS, url, "1d"), encoding="ascii")
            found[responses] = asyncio.run(_measure(file, url))
    return found


class _Exporter:
    """Everything that a poll involves, up to the page that shows it."""

    def __init__(self, file: Path) -> None:
        settings = load_config(file, {})
        client = HttpClient("benchmark")
        self._sources = [create_poll_target(target, client) for target in settings.targets]
        self._rate_limiter = RateLimiter(1e9)
        self._store = StateStore()
        self._store.set_targets(settings.targets)
        self._cache = MetricsCache(self._store, tuple)
        self._next_render = 0.0

    async def poll(self, number: int) -> None:
        """Poll a target, and render the page once a second, as for one scrape a second."""
        source = self._sources[number % TARGETS]
        attempt = await poll_once(source, self._rate_limiter, time.time)
        if isinstance(attempt.result, PollFailure):
            raise TypeError(attempt.result.detail)
        now = time.time()
        outcome = PollOutcome(*attempt, at=now, next_at=now + 900)
        self._cache.render(self._store.record(source.target.name, outcome))
        if now >= self._next_render:
            self._next_render = now + 1
            self._cache.invalidate()
            self._cache.body(Format.OPENMETRICS, gzipped=True)


async def _measure(file: Path, url: str) -> Rates:
    exporter = _Exporter(file)
    connections = httpx.Limits(
        max_keepalive_connections=0
    )  # a connection per request, as in the exporter
    async with httpx.AsyncClient(limits=connections, trust_env=False, timeout=60) as client:

        async def bare(number: int) -> None:
            target = number % TARGETS
            parameters = {"organization": f"oRg{target:05d}"}
            key = {"Authorization": f"Bearer made-up-{target:05d}"}
            response = await client.get(f"{url}/v3/usage", params=parameters, headers=key)
            response.raise_for_status()

        await _rate(exporter.poll, FEW)  # for what only first polls do
        found = [
            (
                await _rate(bare, FEW),
                await _rate(exporter.poll, FEW),
                await _rate(exporter.poll, MANY),
            )
            for _ in range(_ROUNDS)
        ]
    return Rates(*map(median, zip(*found, strict=True)))


async def _rate(poll: PollFunction, in_flight: int) -> float:
    """Polls per second of this process's processor time."""
    numbers = iter(range(_POLLS))

    async def worker() -> None:
        for number in numbers:
            await poll(number)

    start = time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return _POLLS / (time.process_time() - start)
