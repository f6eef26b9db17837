"""The `/metrics` response, rendered and compressed once per change instead of once per scrape.

Each target's lines are rendered when it has been polled, and kept. A thread joins and compresses
them, at most once a second and only after a change.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client import exposition as text_exposition
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from exporter.metrics.exposition import Format, render, render_parts, sample_lines, target_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from exporter.metrics.exposition import Lines
    from exporter.model import Sample
    from exporter.state.store import StateStore, TargetSnapshot

REFRESH_INTERVAL: Final = 1.0  # seconds
PROCESS_MAX_AGE: Final = 1.0  # seconds for which the metrics of the process are reused

_GZIP: Final = 31  # zlib's window size that stands for gzip
_LEVEL: Final = 1  # a tenth larger than the default, in a third of the time


class _RenderedTargets:
    """The lines of each target, kept until its snapshot is another one."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[TargetSnapshot, Lines]] = {}

    def lines(self, snapshot: TargetSnapshot) -> Lines:
        """The lines of a target; may be called by two threads at once."""
        name = snapshot.target.name
        rendered, lines = self._known.get(name, (None, ()))
        if rendered is not snapshot:
            lines = target_lines(snapshot)
            self._known[name] = snapshot, lines
        return lines

    def keep_only(self, snapshots: Collection[TargetSnapshot]) -> None:
        """Drop the lines of targets that have been removed."""
        if len(self._known) > len(snapshots):
            names = {snapshot.target.name for snapshot in snapshots}
            self._known = {
                name: known for name, known in self._known.copy().items() if name in names
            }


class _GzipStream:
    """Compressed content whose end can be replaced without compressing the rest again."""

    def __init__(self, content: Iterable[bytes]) -> None:
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._start = b"".join(map(self._compressor.compress, content))

    def end_with(self, end: bytes) -> bytes:
        """The whole file."""
        compressor = self._compressor.copy()
        return b"".join((self._start, compressor.compress(end), compressor.flush()))


class _Page:
    """All targets as they were at one moment.

    Args:
        snapshots: every target.
        rows: their lines.
        formats: those to compress at once; others are compressed when first asked for.
    """

    def __init__(
        self,
        snapshots: tuple[TargetSnapshot, ...],
        rows: Sequence[Lines],
        formats: Collection[Format],
    ) -> None:
        self.snapshots = snapshots
        self._rows = rows
        self._gzipped = {form: self._compress(form) for form in formats}

    def _compress(self, form: Format) -> _GzipStream:
        return _GzipStream(render_parts(self._rows, form))

    @property
    def gzipped_formats(self) -> Collection[Format]:
        """The formats that are compressed."""
        return tuple(self._gzipped)  # a copy: a scrape may add one while a thread reads them

    def body(self, form: Format, end: bytes, *, gzipped: bool) -> bytes:
        """The page, followed by `end`."""
        if not gzipped:
            return b"".join((*render_parts(self._rows, form), end))
        if form not in self._gzipped:
            self._gzipped[form] = self._compress(form)
        return self._gzipped[form].end_with(end)


class MetricsCache:
    """The response to a scrape, in both formats, plain and compressed.

    A poll shows within `REFRESH_INTERVAL` and the time it takes to render, while `refresh_loop`
    runs; else after `invalidate`.

    Args:
        store: the targets.
        exporter_samples: the samples about the exporter itself.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: StateStore,
        exporter_samples: Callable[[], Iterable[Sample]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._exporter_samples = exporter_samples
        self._clock = clock
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._targets = _RenderedTargets()
        self._page = _Page((), (), ())
        self._is_valid = False
        self._bodies: dict[tuple[Format, bool], bytes] = {}
        self._ends: dict[Format, bytes] = {}
        self._ends_expire_at = float("-inf")

    def body(self, form: Format, *, gzipped: bool) -> bytes:
        """The body of a response."""
        page, end = self._current_page(), self._current_end(form)
        key = form, gzipped
        if key not in self._bodies:
            self._bodies[key] = page.body(form, end, gzipped=gzipped)
        return self._bodies[key]

    @property
    def is_ready(self) -> bool:
        """Whether the page shows a poll of every target."""
        shown = self._current_page().snapshots
        polled = {snapshot.target.name for snapshot in shown if snapshot.state.last_poll}
        return all(snapshot.target.name in polled for snapshot in self._store.snapshots())

    def render(self, snapshot: TargetSnapshot) -> None:
        """Render a target that has been polled, so that a page with it only needs joining."""
        self._targets.lines(snapshot)

    def invalidate(self) -> None:
        """Have the next scrape render what has changed, without waiting for `refresh_loop`."""
        self._is_valid = False
        self._ends_expire_at = float("-inf")

    def _current_page(self) -> _Page:
        if not self._is_valid:
            self._replace_page(self._new_page(self._store.snapshots(), self._page))
        return self._page

    def _new_page(self, snapshots: tuple[TargetSnapshot, ...], before: _Page) -> _Page:
        rows = [self._targets.lines(snapshot) for snapshot in snapshots]
        return _Page(snapshots, rows, before.gzipped_formats)

    def _replace_page(self, page: _Page) -> None:
        self._page = page
        self._targets.keep_only(page.snapshots)
        self._is_valid = True
        self._bodies.clear()

    async def refresh_loop(self, interval: float = REFRESH_INTERVAL) -> None:
        """Render changes until cancelled, so that no scrape waits for it.

        The thread is the cache's own: the loop's default ones may all be waiting for DNS.

        Args:
            interval: seconds between two looks for targets that have changed.
        """
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "metrics") as thread:
            while True:
                await asyncio.sleep(interval)
                before, snapshots = self._current_page(), self._store.snapshots()
                if before.snapshots == snapshots:
                    continue
                page = await loop.run_in_executor(thread, self._new_page, snapshots, before)
                if self._is_valid and self._page is before:  # no scrape was faster, none will be
                    self._replace_page(page)

    def _current_end(self, form: Format) -> bytes:
        now = self._clock()
        if now >= self._ends_expire_at:
            self._ends.clear()
            self._bodies.clear()
            self._ends_expire_at = now + PROCESS_MAX_AGE
        if form not in self._ends:
            self._ends[form] = self._end(form)
        return self._ends[form]

    def _end(self, form: Format) -> bytes:
        """What follows the targets: the exporter, the process, and OpenMetrics' end mark."""
        writer = openmetrics_exposition if form is Format.OPENMETRICS else text_exposition
        exporter = render([sample_lines(self._exporter_samples())], form)
        return exporter + bytes(writer.generate_latest(self._process))
