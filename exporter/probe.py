"""Poll once, for real, and say what is left."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from exporter.exposition import Format, document, target_lines
from exporter.metrics import CATALOGUE, NEXT_POLL
from exporter.polling import Limits, poll_once
from exporter.records import Outcome
from exporter.snapshot import Snapshot
from exporter.status import amount, day, described, severity, words_of_state
from exporter.vendors._resolver import Lookups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.polling import Source
    from exporter.snapshot import Entry

FORMATS: Final = ("table", "json", "prometheus")
_HEADINGS: Final = (
    "TARGET",
    "ACCOUNT",
    "ALLOWANCE",
    "LEFT",
    "OF",
    "%",
    "PER DAY",
    "RUNS OUT",
    "ENDS",
)
_NUMBERS: Final = frozenset({"LEFT", "OF", "%", "PER DAY"})
_LEFT: Final = frozenset({"LEFT", "%"})
_STYLES: Final = {"heading": "1", "critical": "1;31", "warning": "33", "fine": "32"}
_RHYTHM: Final = frozenset(
    {NEXT_POLL.name, *(metric.name for metric in CATALOGUE if metric.kind == "counter")}
)


async def probe(sources: Sequence[Source], limits: Limits) -> list[Entry]:
    """Poll every source once, at the same time within the limits."""
    asyncio.get_running_loop().set_default_executor(Lookups())
    snapshot = Snapshot()
    snapshot.adopt(source.target for source in sources)

    async def poll(source: Source) -> None:
        with await limits.slot():
            attempt = await poll_once(source, limits, time.time)
        now = time.time()
        snapshot.publish(source.target.name, Outcome(*attempt, at=now, next_at=now))

    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(poll(source))
    return list(snapshot.entries())


def written(
    entries: Sequence[Entry],
    form: Literal["table", "json", "prometheus"],
    *,
    is_coloured: bool = False,
) -> str:
    """What the probe found, in one of its formats; colours are the table's."""
    if form == "json":
        listed = [described(entry) for entry in entries]
        return json.dumps({"targets": listed}, indent=2, ensure_ascii=False)
    if form == "prometheus":
        return prometheus_text(entries).rstrip("\n")
    return table(entries, time.time(), is_coloured=is_coloured)


def prometheus_text(entries: Iterable[Entry]) -> str:
    """The metrics that a single poll can tell: it has no next one, and counts nothing."""
    lines = [
        {name: text for name, text in target_lines(entry).items() if name not in _RHYTHM}
        for entry in entries
    ]
    return document(lines, Format.TEXT).decode()


def write_textfile(path: Path, text: str) -> None:
    """Put `text` in the place of a file at once: no reader sees half of it.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with TemporaryDirectory(dir=path.parent, prefix=".probe-") as folder:
        new = Path(folder) / path.name
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def table(entries: Sequence[Entry], now: float, *, is_coloured: bool = False) -> str:
    """A line for each allowance, and one for each target that failed or has none."""
    rows = [_Row(_HEADINGS, "heading"), *(row for entry in entries for row in _rows(entry, now))]
    columns = range(len(_HEADINGS) - 1)
    widths = [*(max(len(row.cells[column]) for row in rows) for column in columns), 0]
    styles = _STYLES if is_coloured else {}
    return "\n".join([*(_line(row, widths, styles) for row in rows), *_remarks(entries)])


class _Row(NamedTuple):
    cells: tuple[str, ...]
    style: str


def _rows(entry: Entry, now: float) -> Iterator[_Row]:
    for allowance in entry.allowances:
        cells = (
            entry.target.name,
            allowance.account,
            " ".join(filter(None, (allowance.name, allowance.label))),
            amount(allowance.available),
            f"{amount(allowance.allowed)} {allowance.unit}",
            f"{100 * allowance.ratio:.0f}",
            "-" if allowance.burn_per_day is None else amount(allowance.burn_per_day),
            day(allowance.exhaustion, now),
            day(allowance.end, now),
        )
        yield _Row(cells, severity(allowance, entry.target.alerts))


def _line(row: _Row, widths: Iterable[int], styles: Mapping[str, str]) -> str:
    """A row, its cells aligned; of an allowance's, what is left is coloured."""
    parts = []
    for cell, width, heading in zip(row.cells, widths, _HEADINGS, strict=True):
        text = cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
        if row.style in styles and (row.style == "heading" or heading in _LEFT):
            text = f"\x1b[{styles[row.style]}m{text}\x1b[0m"
        parts.append(text)
    return "  ".join(parts)


def _remarks(entries: Iterable[Entry]) -> Iterator[str]:
    yield from failures(entries)
    for entry in entries:
        if not entry.state.failure and not entry.allowances:
            figures = len(entry.reading.samples) if entry.reading else 0
            yield f"{entry.target.name}: up, {figures} figures, no allowance configured"


def failures(entries: Iterable[Entry]) -> Iterator[str]:
    """A line for each target that failed."""
    for entry in entries:
        if entry.state.failure:
            yield f"{entry.target.name}: {words_of_state(entry)}"
