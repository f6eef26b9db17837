"""How many polls a second one core makes, beside bare httpx asking for the same replies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import httpx

from benchmarks import programs
from benchmarks.workload import config
from exporter.app import create_poller, load_config
from exporter.client.client import HttpClient
from exporter.metrics.cache import MetricsCache
from exporter.metrics.exposition import Format
from exporter.model import PollFailure, PollOutcome
from exporter.polling.poll import Limits, poll_once
from exporter.state.store import StateStore

if TYPE_CHECKING:
    from pathlib import Path

Ask: TypeAlias = Callable[[int], Awaitable[None]]
"""Polls the target with this number, counted without end."""

TARGETS: Final = 100
FEW, MANY = 10, 200  # polls in flight
_ROUNDS: Final = 5
_POLLS: Final = 500  # in each round


class Rates(NamedTuple):
    """Polls a second, while replies do not change and while each is another one."""

    bare: float
    ours: float
    ours_with_many: float


def polled(folder: Path) -> dict[str, Rates]:
    """Measure with replies that are the same again, and with replies that change."""
    found = {}
    for replies in ("unchanged", "changed"):
        with programs.vendors(TARGETS, replies) as url:
            file = folder / "polling.yaml"
            file.write_text(config(TARGETS, url, "1d"), encoding="ascii")
            found[replies] = asyncio.run(_measured(file, url))
    return found


class _Exporter:
    """The whole path of a poll, up to the page that shows it."""

    def __init__(self, file: Path) -> None:
        settings = load_config(file, {})
        client = HttpClient("benchmark")
        self._sources = [create_poller(target, client) for target in settings.targets]
        self._limits = Limits(10_000, 1e9)
        self._store = StateStore()
        self._store.set_targets(settings.targets)
        self._page = MetricsCache(self._store, tuple)

    async def poll(self, number: int) -> None:
        """Poll a target; the page is made anew once a second, as for a scrape a second."""
        source = self._sources[number % TARGETS]
        attempt = await poll_once(source, self._limits, time.time)
        if isinstance(attempt.result, PollFailure):
            raise TypeError(attempt.result.detail)
        now = time.time()
        self._store.record(source.target.name, PollOutcome(*attempt, at=now, next_at=now + 900))
        self._page.body(Format.OPENMETRICS, gzipped=True)


async def _measured(file: Path, url: str) -> Rates:
    exporter = _Exporter(file)
    connections = httpx.Limits(max_keepalive_connections=0)  # one call each, as the exporter
    async with httpx.AsyncClient(limits=connections, trust_env=False, timeout=60) as client:

        async def bare(number: int) -> None:
            target = number % TARGETS
            question = {"organization": f"oRg{target:05d}"}
            key = {"Authorization": f"Bearer made-up-{target:05d}"}
            reply = await client.get(f"{url}/v3/usage", params=question, headers=key)
            reply.raise_for_status()

        await _rate(exporter.poll, FEW)  # lists are read, and every vendor has been asked once
        found = [
            (
                await _rate(bare, FEW),
                await _rate(exporter.poll, FEW),
                await _rate(exporter.poll, MANY),
            )
            for _ in range(_ROUNDS)
        ]
    return Rates(*map(median, zip(*found, strict=True)))


async def _rate(ask: Ask, in_flight: int) -> float:
    """Polls for each second of this process's own processor time."""
    numbers = iter(range(_POLLS))

    async def work() -> None:
        for number in numbers:
            await ask(number)

    start = time.process_time()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return _POLLS / (time.process_time() - start)
