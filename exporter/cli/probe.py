"""Poll once, for real, and say what is left."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from exporter.client.resolver import DaemonThreadExecutor
from exporter.metrics.catalogue import METRICS, NEXT_POLL, target_samples
from exporter.metrics.exposition import Format, render, sample_lines
from exporter.model import PollOutcome
from exporter.polling.poll import Limits, poll_once
from exporter.state.presentation import (
    format_account,
    format_allowance_name,
    format_date,
    format_number,
    format_state,
    severity,
    to_json,
)
from exporter.state.store import StateStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.polling.poll import PollTarget
    from exporter.state.store import TargetSnapshot

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
_CONTINUOUS: Final = frozenset(
    {NEXT_POLL, *(metric for metric in METRICS if metric.kind == "counter")}
)


async def probe(sources: Sequence[PollTarget], limits: Limits) -> list[TargetSnapshot]:
    """Poll every source once, at the same time within the limits."""
    asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor())
    store = StateStore()
    store.set_targets(source.target for source in sources)

    async def poll(source: PollTarget) -> None:
        with await limits.slot():
            attempt = await poll_once(source, limits, time.time)
        now = time.time()
        store.record(source.target.name, PollOutcome(*attempt, at=now, next_at=now))

    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(poll(source))
    return list(store.snapshots())


def written(
    snapshots: Sequence[TargetSnapshot],
    form: Literal["table", "json", "prometheus"],
    *,
    is_coloured: bool = False,
) -> str:
    """What the probe found, in one of its formats; colours are the table's."""
    if form == "json":
        listed = [to_json(snapshot) for snapshot in snapshots]
        return json.dumps({"targets": listed}, indent=2, ensure_ascii=False)
    if form == "prometheus":
        return prometheus_text(snapshots).rstrip("\n")
    return table(snapshots, time.time(), is_coloured=is_coloured)


def prometheus_text(snapshots: Iterable[TargetSnapshot]) -> str:
    """The metrics that make sense for a single poll: no next poll, no counters."""
    lines = [
        sample_lines(
            (each for each in target_samples(snapshot) if each.metric not in _CONTINUOUS),
            snapshot.target.name,
        )
        for snapshot in snapshots
    ]
    return render(lines, Format.TEXT).decode()


def write_textfile(path: Path, text: str) -> None:
    """Put `text` in the place of a file at once: no reader sees half of it.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with TemporaryDirectory(dir=path.parent, prefix=".probe-") as folder:
        new = Path(folder) / path.name
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def table(snapshots: Sequence[TargetSnapshot], now: float, *, is_coloured: bool = False) -> str:
    """A line for each allowance, and one for each target that failed or has none."""
    rows = [
        _Row(_HEADINGS, "heading"),
        *(row for snapshot in snapshots for row in _rows(snapshot, now)),
    ]
    columns = range(len(_HEADINGS) - 1)
    widths = [*(max(len(row.cells[column]) for row in rows) for column in columns), 0]
    styles = _STYLES if is_coloured else {}
    return "\n".join([*(_line(row, widths, styles) for row in rows), *_remarks(snapshots)])


class _Row(NamedTuple):
    cells: tuple[str, ...]
    style: str


def _rows(snapshot: TargetSnapshot, now: float) -> Iterator[_Row]:
    for allowance in snapshot.allowances:
        cells = (
            snapshot.target.name,
            format_account(allowance),
            format_allowance_name(allowance),
            format_number(allowance.available),
            f"{format_number(allowance.allowed)} {allowance.unit}",
            f"{100 * allowance.ratio:.0f}",
            "-" if allowance.burn_per_day is None else format_number(allowance.burn_per_day),
            format_date(allowance.exhaustion, now),
            format_date(allowance.end, now),
        )
        yield _Row(cells, severity(allowance, snapshot.target.alerts))


def _line(row: _Row, widths: Iterable[int], styles: Mapping[str, str]) -> str:
    """A row, its cells aligned; of an allowance's, what is left is coloured."""
    parts = []
    for cell, width, heading in zip(row.cells, widths, _HEADINGS, strict=True):
        text = cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
        if row.style in styles and (row.style == "heading" or heading in _LEFT):
            text = f"\x1b[{styles[row.style]}m{text}\x1b[0m"
        parts.append(text)
    return "  ".join(parts)


def _remarks(snapshots: Iterable[TargetSnapshot]) -> Iterator[str]:
    yield from failures(snapshots)
    for snapshot in snapshots:
        if not snapshot.state.failure and not snapshot.allowances:
            figures = len(snapshot.result.samples) if snapshot.result else 0
            yield f"{snapshot.target.name}: up, {figures} figures, no allowance configured"


def failures(snapshots: Iterable[TargetSnapshot]) -> Iterator[str]:
    """A line for each target that failed."""
    for snapshot in snapshots:
        if snapshot.state.failure:
            yield f"{snapshot.target.name}: {format_state(snapshot)}"
