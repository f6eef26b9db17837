"""What a backfill is asked for, checked before anything is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exporter.metrics.catalogue import METRICS
from exporter.metrics.exposition import format_labels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from exporter.config.models import Target

DEFAULT_STEP: Final = "5m"
EARLIEST: Final = date(2010, 1, 1)  # neither vendor has figures from before
_DAY: Final = 86_400
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STEP: Final = re.compile(r"([0-9]{1,5})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": _DAY}
_LABEL: Final = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=(.+)", re.DOTALL)
_TAKEN: Final = frozenset(name for metric in METRICS for name in metric.labels)


class PlanError(Exception):
    """Something that cannot be done, in words for the user."""


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What to write.

    Args:
        targets: whose past.
        first, last: days, both included.
        step: seconds from one sample of a series to the next; a day is a multiple of it.
        labels: as they are put between a series' braces after its own.
        output: the file to write.
    """

    targets: tuple[Target, ...]
    first: date
    last: date
    step: int
    labels: str
    output: Path


def plan_backfill(
    flags: Mapping[str, Any],
    targets: Sequence[Target],
    now: datetime,
    no_history: Collection[str] = (),
) -> BackfillPlan:
    """What the command line's flags ask for.

    Args:
        flags: by name.
        targets: the configuration's.
        now: the time.
        no_history: vendors without an API for past usage.

    Raises:
        PlanError: the first thing that is wrong with them.
    """
    first, last = days(flags["start"], flags["end"], now.date())
    output = Path(flags["output"])
    if output.is_dir():  # better said now than after hours of asking
        raise PlanError(f"--output {output} is a folder")
    return BackfillPlan(
        targets=chosen(targets, flags.get("targets", ()), no_history),
        first=first,
        last=last,
        step=step(flags["step"]),
        labels=labels(filter(None, flags["label"])),
        output=output,
    )


def chosen(
    targets: Sequence[Target], names: Collection[str], no_history: Collection[str] = ()
) -> tuple[Target, ...]:
    """The targets of these names; without names all whose vendor has an API for past usage.

    Raises:
        PlanError: a name is not that of a target, or its vendor has no such API.
    """
    if unknown := set(names) - {target.name for target in targets}:
        raise PlanError(f"no such target: {', '.join(sorted(unknown))}")
    found = tuple(target for target in targets if not names or target.name in names)
    without = [target.name for target in found if target.vendor in no_history]
    if without and (names or len(without) == len(found)):
        raise PlanError(f"the vendor has no API for past usage: {', '.join(sorted(without))}")
    return tuple(target for target in found if target.name not in without)


def days(start: str, end: str, today: date) -> tuple[date, date]:
    """The first and the last day, both included; without `end` up to yesterday.

    Raises:
        OrderError: there are no such days, or not only complete ones.
    """
    yesterday = today - timedelta(days=1)
    first = _day(start, "--start")
    last = _day(end, "--end") if end else yesterday
    if last > yesterday:
        raise PlanError(f"--end can be {yesterday} at the latest: only complete days are written")
    if not EARLIEST <= first <= last:
        raise PlanError(f"--start must be from {EARLIEST} to {last}")
    return first, last


def _day(text: str, flag: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise PlanError(f"{flag} must be given as a date such as 2026-01-31")


def step(text: str) -> int:
    """Seconds of a step such as `5m`.

    Raises:
        OrderError: it is none that divides a day.
    """
    match = _STEP.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not seconds or _DAY % seconds:
        raise PlanError("--step must divide a day evenly, such as 5m, 15m, 1h or 1d")
    return seconds


def labels(pairs: Iterable[str]) -> str:
    """What `--label NAME=VALUE` adds to each series: what Prometheus adds to a scraped one.

    Raises:
        OrderError: a name is none, the exporter's own, or given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        match = _LABEL.fullmatch(pair)
        if not match or match[1].startswith("__"):
            raise PlanError(f"--label {pair}: write NAME=VALUE")
        if match[1] in _TAKEN or match[1] in found:
            raise PlanError(f"--label {pair}: {match[1]} is taken already")
        found[match[1]] = match[2]
    return format_labels(found.items())
