"""Poll once, for real, and say what is left."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final, Literal

from exporter.exposition import Format, document, target_lines
from exporter.polling import Limits, poll_once
from exporter.records import Outcome
from exporter.snapshot import Snapshot
from exporter.status import amount, day, described, words_of_state
from exporter.vendors._resolver import Lookups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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


async def probe(sources: Sequence[Source], limits: Limits) -> list[Entry]:
    """Poll every source once, at the same time within the limits."""
    asyncio.get_running_loop().set_default_executor(Lookups())
    snapshot = Snapshot()
    snapshot.adopt(source.target for source in sources)

    async def poll(source: Source) -> None:
        async with limits.slot():
            attempt = await poll_once(source, limits, time.time)
        now = time.time()
        snapshot.publish(source.target.name, Outcome(*attempt, at=now, next_at=now))

    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(poll(source))
    return list(snapshot.entries())


def written(entries: Sequence[Entry], form: Literal["table", "json", "prometheus"]) -> str:
    """What the probe found, in one of its formats."""
    if form == "json":
        listed = [described(entry) for entry in entries]
        return json.dumps({"targets": listed}, indent=2, ensure_ascii=False)
    if form == "prometheus":
        return document(map(target_lines, entries), Format.TEXT).decode().rstrip("\n")
    return table(entries, time.time())


def table(entries: Sequence[Entry], now: float) -> str:
    """A line for each allowance, and one for each target that failed or has none."""
    rows = [_HEADINGS, *(row for entry in entries for row in _rows(entry, now))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(_aligned(row, widths) for row in rows) + "".join(_remarks(entries))


def _rows(entry: Entry, now: float) -> Iterator[tuple[str, ...]]:
    for allowance in entry.allowances:
        yield (
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


def _aligned(row: Iterable[str], widths: Iterable[int]) -> str:
    cells = zip(row, widths, _HEADINGS, strict=True)
    return "  ".join(
        cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
        for cell, width, heading in cells
    ).rstrip()


def _remarks(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.state.failure:
            yield f"\n{entry.target.name}: {words_of_state(entry)}"
        elif not entry.allowances:
            figures = len(entry.reading.samples) if entry.reading else 0
            yield f"\n{entry.target.name}: up, {figures} figures, no allowance configured"
