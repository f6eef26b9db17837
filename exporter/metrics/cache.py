"""The page: the lines of all targets under their heads, compressed, at most a second old."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client import exposition as text_exposition
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from exporter.memory_file import MemoryFile, kept
from exporter.metrics.blocks import Known
from exporter.metrics.catalogue import METRICS
from exporter.metrics.deflate import deflated, gunzipped, gzip_file
from exporter.metrics.exposition import Format, document, head, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.model import Sample
    from exporter.state.store import StateStore, TargetSnapshot

Bodies: TypeAlias = dict[tuple[Format, bool], bytes | MemoryFile]
"""The page as it is sent, by format and whether it is compressed."""

MAX_AGE: Final = 1.0  # seconds from a change to a page that shows it
_OVERDUE: Final = 10.0  # the same where the machine is too busy to keep the page fresh


class MetricsCache:
    """The page in both formats, at most `MAX_AGE` behind the snapshot.

    Args:
        snapshot: the targets.
        program: the samples about the program itself.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: StateStore,
        program: Callable[[], Iterable[Sample]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._program = program
        self._clock = clock
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._heads = {
            form: {metric.name: deflated(head(metric, form)) for metric in METRICS}
            for form in Format
        }
        self._known = Known(float("-inf"))
        self._bodies: Bodies = {}
        self._max_age = MAX_AGE

    def body(self, form: Format, *, gzipped: bool) -> bytes | MemoryFile:
        """The page, renewed here unless `refresh_loop` does it."""
        self._renew_if_old()
        key = form, gzipped
        if key not in self._bodies:
            self._bodies[key] = self._made(self._known, *key)
        return self._bodies[key]

    @property
    def is_ready(self) -> bool:
        """Whether it shows a poll of every target there is."""
        self._renew_if_old()
        shown = {snapshot.target.name for snapshot in self._known.snapshots if snapshot.state.last}
        return all(snapshot.target.name in shown for snapshot in self._store.snapshots())

    def _renew_if_old(self) -> None:
        if self._clock() - self._known.at >= self._max_age:
            self.renew()

    def renew(self) -> None:
        """Let the next scrape see what is known now."""
        self._take(self._known.after(*self._seen()), {})

    async def refresh_loop(self) -> None:
        """Renew the page twice in `MAX_AGE`, for ever, so that no scrape waits for it.

        In a thread of its own: the loop's usual ones may all be waiting for a dead resolver.
        """
        self.renew()
        self._max_age = _OVERDUE
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "page") as thread:
            while True:
                await asyncio.sleep(MAX_AGE / 2)
                self._take(*await loop.run_in_executor(thread, self._next, *self._seen()))

    def _seen(self) -> tuple[float, Sequence[TargetSnapshot]]:
        return self._clock(), self._store.snapshots()

    def _next(self, at: float, snapshots: Sequence[TargetSnapshot]) -> tuple[Known, Bodies]:
        """The page once it is renewed, and, where targets have changed, what is likely asked for.

        Plain text is not: making it anew twice a second would cost more than a scrape saves.
        """
        known = self._known.after(at, snapshots)
        if known.snapshots == self._known.snapshots:
            return known, {}
        asked = tuple(self._bodies)
        return known, {key: self._made(known, *key) for key in asked if key[1]}

    def _take(self, known: Known, bodies: Bodies) -> None:
        if known.at >= self._known.at:
            self._known = known
            self._bodies = bodies

    def _made(self, known: Known, form: Format, is_gzipped: bool) -> bytes | MemoryFile:  # noqa: FBT001  as in the key
        file = self._file(known, form)
        return kept(file if is_gzipped else gunzipped(file))

    def _file(self, known: Known, form: Format) -> bytes:
        parts = [
            part
            for name, head_of_metric in self._heads[form].items()
            if name in known.parts
            for part in (head_of_metric, *known.parts[name])
        ]
        program = document([lines_of(self._program())], form)
        return gzip_file([*parts, deflated(program + self._process_part(form))])

    def _process_part(self, form: Format) -> bytes:
        """What the client library knows of the process, and the end mark of OpenMetrics."""
        writer = openmetrics_exposition if form is Format.OPENMETRICS else text_exposition
        return bytes(writer.generate_latest(self._process))
