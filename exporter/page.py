"""The page: the lines of all targets, kept compressed and joined again after a change.

Targets are kept in blocks of a hundred, and the lines of a block by metric, each metric's as a
part of a gzip file. A poll renews a few parts of one block; a page joins parts.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client import exposition as text_exposition
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from exporter.deflate import deflated, gunzipped, gzip_file, inflated, joined
from exporter.exposition import Format, by_metric, document, head, lines_of, target_lines
from exporter.memory_file import kept
from exporter.metrics import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exporter.deflate import Part
    from exporter.exposition import Lines
    from exporter.memory_file import MemoryFile
    from exporter.records import Sample
    from exporter.snapshot import Entry, Snapshot

MAX_AGE: Final = 1.0  # seconds from a change to a page that shows it
_OVERDUE: Final = 10.0  # the same where the machine is too busy to keep the page fresh
_BLOCK: Final = 100  # targets
_FEW: Final = 20  # changes of a block; more than these are slower than rendering it whole


class Block(NamedTuple):
    """Some targets, and their lines by the metric's name."""

    entries: Sequence[Entry]
    parts: Mapping[str, Part]

    def after(self, entries: Sequence[Entry]) -> Block:
        """The block with the entries as they are now; itself where they are the same."""
        pairs = zip(self.entries, entries, strict=False)
        changed = [(old, new) for old, new in pairs if old is not new]
        is_other = any(old.target.name != new.target.name for old, new in changed)
        if is_other or len(self.entries) != len(entries) or len(changed) > _FEW:
            return _rendered(entries)
        lines = [(target_lines(old), target_lines(new)) for old, new in changed]
        if any(before.keys() != now.keys() for before, now in lines):
            return _rendered(entries)
        return Block(entries, dict(self._parts_with(lines))) if lines else self

    def _parts_with(self, lines: Sequence[tuple[Lines, Lines]]) -> Iterator[tuple[str, Part]]:
        """The parts once lines have changed in place.

        A target's lines stand nowhere else: each begins with the metric's and the target's name in
        quotes, and in a label's value quotes are escaped.
        """
        for name, part in self.parts.items():
            changed = [
                (before[name], now[name])
                for before, now in lines
                if before.get(name) != now.get(name)
            ]
            text = inflated(part).decode() if changed else ""
            for before, now in changed:
                text = text.replace(before, now)
            yield name, deflated(text.encode()) if changed else part


def _rendered(entries: Sequence[Entry]) -> Block:
    lines = map(target_lines, entries)
    return Block(entries, {metric.name: deflated(text) for metric, text in by_metric(lines)})


class _Column(NamedTuple):
    """The lines of a metric: those of each block, and joined."""

    parts: Sequence[Part]
    whole: Part

    def after(self, parts: Sequence[Part]) -> _Column:
        """The column of these parts; itself where they are the same."""
        return self if parts == self.parts else _Column(parts, joined(parts))


_EMPTY: Final = _Column((), joined(()))


class _Known(NamedTuple):
    """What a page is made from, and when it was looked up, monotonic seconds."""

    at: float
    blocks: Sequence[Block] = ()
    columns: Mapping[str, _Column] = {}

    def after(self, at: float, entries: Sequence[Entry]) -> _Known:
        """The same for the entries as they are at another moment."""
        starts = range(0, len(entries), _BLOCK)
        before = chain(self.blocks, repeat(Block((), {})))
        blocks = [
            block.after(entries[start : start + _BLOCK])
            for start, block in zip(starts, before, strict=False)
        ]
        columns = {
            metric.name: self.columns.get(metric.name, _EMPTY).after(
                [block.parts[metric.name] for block in blocks if metric.name in block.parts]
            )
            for metric in CATALOGUE
        }
        return _Known(at, blocks, columns)


class Page:
    """The page in both formats, at most `MAX_AGE` behind the snapshot.

    Args:
        snapshot: the targets.
        program: the samples about the program itself.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        program: Callable[[], Iterable[Sample]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._snapshot = snapshot
        self._program = program
        self._clock = clock
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._heads = {
            form: {metric.name: deflated(head(metric, form)) for metric in CATALOGUE}
            for form in Format
        }
        self._known = _Known(float("-inf"))
        self._bodies: dict[tuple[Format, bool], bytes | MemoryFile] = {}
        self._max_age = MAX_AGE

    def body(self, form: Format, *, gzipped: bool) -> bytes | MemoryFile:
        """The page, renewed here unless `keep_fresh` does it."""
        self._renew_if_old()
        key = form, gzipped
        if key not in self._bodies:
            file = self._file(form)
            self._bodies[key] = kept(file if gzipped else gunzipped(file))
        return self._bodies[key]

    @property
    def is_ready(self) -> bool:
        """Whether it shows a poll of every target there is."""
        self._renew_if_old()
        entries = (entry for block in self._known.blocks for entry in block.entries)
        shown = {entry.target.name for entry in entries if entry.state.last}
        return all(entry.target.name in shown for entry in self._snapshot.entries())

    def _renew_if_old(self) -> None:
        if self._clock() - self._known.at >= self._max_age:
            self.renew()

    def renew(self) -> None:
        """Let the next scrape see what is known now."""
        self._take(self._known.after(*self._seen()))

    async def keep_fresh(self) -> None:
        """Renew the page twice in `MAX_AGE`, for ever, so that no scrape waits for it.

        In a thread of its own: the loop's usual ones may all be waiting for a dead resolver.
        """
        self.renew()
        self._max_age = _OVERDUE
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "page") as thread:
            while True:
                await asyncio.sleep(MAX_AGE / 2)
                self._take(await loop.run_in_executor(thread, self._known.after, *self._seen()))

    def _seen(self) -> tuple[float, list[Entry]]:
        return self._clock(), list(self._snapshot.entries())

    def _take(self, known: _Known) -> None:
        if known.at >= self._known.at:
            self._known = known
            self._bodies.clear()

    def _file(self, form: Format) -> bytes:
        parts = [
            part
            for name, (parts_of_blocks, column) in self._known.columns.items()
            if parts_of_blocks
            for part in (self._heads[form][name], column)
        ]
        program = document([lines_of(self._program())], form)
        return gzip_file([*parts, deflated(program + self._process_part(form))])

    def _process_part(self, form: Format) -> bytes:
        """What the client library knows of the process, and the end mark of OpenMetrics."""
        writer = openmetrics_exposition if form is Format.OPENMETRICS else text_exposition
        return bytes(writer.generate_latest(self._process))
