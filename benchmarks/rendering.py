"""Time to render the page after some targets have changed, compared with the client library."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import generate_latest

from benchmarks.library import gauges_of
from exporter.metrics.cache import MetricsCache
from exporter.metrics.exposition import Format
from exporter.model import PollOutcome
from exporter.state.store import StateStore
from exporter.vendors.affinda.api import Scope, Usage
from exporter.vendors.affinda.mapper import poll_result
from exporter.vendors.affinda.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS: Final = 10_000
CHANGES: Final = (1, 100, TARGETS)
_ROUNDS: Final = 5
_FIRST: Final = date(2026, 1, 1)


class RenderingTimes(NamedTuple):
    """Median seconds to render the page of `TARGETS` targets.

    Args:
        gzipped: the compressed page, by the number of targets that changed.
        plain: the uncompressed page, likewise.
        library: the client library, whatever changed.
    """

    gzipped: dict[int, float]
    plain: dict[int, float]
    library: float


class _Targets:
    """Targets that have been polled, and their page."""

    def __init__(self) -> None:
        self._rng = random.Random(1)  # noqa: S311  usage values, not secrets
        self._settings = {f"customer-{number:05d}": _settings(number) for number in range(TARGETS)}
        self._store = StateStore()
        self._store.set_targets(self._settings.values())
        self.cache = MetricsCache(self._store, tuple)
        self.poll(TARGETS)

    def poll(self, count: int) -> None:
        """Record polls of some targets, all with new values."""
        for name in self._rng.sample(list(self._settings), count):
            settings = self._settings[name]
            scope = Scope("organization", settings.organization)
            days = tuple(self._rng.randrange(1000) for _ in range(365))
            result = poll_result(settings, {scope: Usage(_FIRST, days)}, {})
            now = datetime.now(UTC).timestamp()
            outcome = PollOutcome(result, self._rng.random(), 1, now, now + 900)
            snapshot = self._store.record(name, outcome)
            self.cache.render(snapshot)

    def render(self, *, gzipped: bool) -> None:
        """Render what has changed."""
        self.cache.invalidate()
        self.cache.body(Format.OPENMETRICS, gzipped=gzipped)


def _settings(number: int) -> Settings:
    return Settings.model_validate(
        {
            "name": f"customer-{number:05d}",
            "vendor": "affinda",
            "organization": f"oRg{number:05d}",
            "api_key": "made-up",
        }
    )


def measure() -> RenderingTimes:
    """Measure every number of changes, and the client library with the same series."""
    targets = _Targets()
    gzipped = {count: _median_seconds(targets, count, gzipped=True) for count in CHANGES}
    plain = {count: _median_seconds(targets, count, gzipped=False) for count in CHANGES}
    page = targets.cache.body(Format.TEXT, gzipped=False).decode()
    del targets  # its objects would slow down the client library's garbage collections
    registry = gauges_of(page).registry
    library = median(_seconds(partial(generate_latest, registry)) for _ in range(3))
    return RenderingTimes(gzipped, plain, library)


def _median_seconds(targets: _Targets, count: int, *, gzipped: bool) -> float:
    found = []
    for _ in range(_ROUNDS):
        targets.poll(count)
        found.append(_seconds(partial(targets.render, gzipped=gzipped)))
    return median(found)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
