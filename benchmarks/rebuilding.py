"""What it costs to make the page anew after some targets changed, in this process."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import generate_latest

from benchmarks.library import held
from exporter.metrics.cache import MetricsCache
from exporter.metrics.exposition import Format
from exporter.model import PollOutcome
from exporter.state.store import StateStore
from exporter.vendors.affinda import Scope, Settings, Usage, poll_result

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS: Final = 10_000
SMALLER: Final = 1000
CHANGES: Final = (1, 100, TARGETS)
_ROUNDS: Final = 5
_FIRST: Final = date(2026, 1, 1)


class Rebuilt(NamedTuple):
    """Median seconds to make the page anew.

    Args:
        ours: by targets that changed, of `TARGETS`: the compressed page.
        plain: the same, with the page as plain text.
        smaller: all of `SMALLER` targets changed.
        theirs: the client library, whatever changed.
    """

    ours: dict[int, float]
    plain: dict[int, float]
    smaller: float
    theirs: float


class _Scene:
    """Targets that were polled once, and their page."""

    def __init__(self, targets: int) -> None:
        self._draw = random.Random(1)  # noqa: S311  figures, no secrets
        self._settings = {f"customer-{number:05d}": _settings(number) for number in range(targets)}
        self._store = StateStore()
        self._store.set_targets(self._settings.values())
        self.page = MetricsCache(self._store, tuple)
        self.poll(targets)
        self.page.invalidate()

    def poll(self, count: int) -> None:
        """Have some targets polled, each with new figures."""
        for name in self._draw.sample(list(self._settings), count):
            settings = self._settings[name]
            scope = Scope("organization", settings.organization)
            days = tuple(self._draw.randrange(1000) for _ in range(365))
            found = poll_result(settings, {scope: Usage(_FIRST, days)}, {})
            now = datetime.now(UTC).timestamp()
            self._store.record(name, PollOutcome(found, self._draw.random(), 1, now, now + 900))

    def show(self, *, gzipped: bool) -> None:
        """Make the page anew and ask for it."""
        self.page.invalidate()
        self.page.body(Format.OPENMETRICS, gzipped=gzipped)


def _settings(number: int) -> Settings:
    return Settings.model_validate(
        {
            "name": f"customer-{number:05d}",
            "vendor": "affinda",
            "organization": f"oRg{number:05d}",
            "api_key": "made-up",
        }
    )


def rebuilt() -> Rebuilt:
    """Measure every number of changes, and the client library with the same series."""
    smaller = _timed(_Scene(SMALLER), SMALLER, gzipped=True)
    scene = _Scene(TARGETS)
    ours = {count: _timed(scene, count, gzipped=True) for count in CHANGES}
    plain = {count: _timed(scene, count, gzipped=False) for count in CHANGES}
    page = bytes(scene.page.body(Format.TEXT, gzipped=False)).decode()
    del scene  # neither is to pay for the other's objects when Python collects garbage
    registry = held(page).registry
    theirs = median(_seconds(partial(generate_latest, registry)) for _ in range(3))
    return Rebuilt(ours, plain, smaller, theirs)


def _timed(scene: _Scene, count: int, *, gzipped: bool) -> float:
    found = []
    for _ in range(_ROUNDS):
        scene.poll(count)
        found.append(_seconds(partial(scene.show, gzipped=gzipped)))
    return median(found)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
