"""The options of a backfill, validated before the first request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exporter.days import DAY, DAY_SECONDS
from exporter.durations import parse_duration
from exporter.history.options import EARLIEST_DAY, FlagError, parse_day, select_targets
from exporter.metrics.catalogue import METRICS
from exporter.metrics.exposition import format_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from exporter.config.models import Target

DEFAULT_STEP: Final = "5m"
_LABEL: Final = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=(.+)", re.DOTALL)
_RESERVED_LABELS: Final = frozenset(name for metric in METRICS for name in metric.labels)


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """What to write.

    Args:
        targets: whose history.
        first, last: days, both included.
        step: seconds between two samples of a series; it divides a day.
        labels: formatted labels that each series gets besides its own.
        output: the file to write.
    """

    targets: tuple[Target, ...]
    first: date
    last: date
    step: int
    labels: str
    output: Path


def parse_options(
    flags: Mapping[str, Any], targets: Sequence[Target], today: date
) -> BackfillOptions:
    """The options that the command line's flags describe.

    Args:
        flags: by name.
        targets: the configuration's.
        today: the current day in UTC.

    Raises:
        FlagError: the first invalid flag.
    """
    first, last = parse_days(flags["start"], flags["end"], today)
    output = Path(flags["output"])
    if output.is_dir():  # otherwise noticed only after hours of requests
        raise FlagError(f"--output {output} is a directory")
    return BackfillOptions(
        targets=select_targets(targets, flags.get("targets", ())),
        first=first,
        last=last,
        step=parse_step(flags["step"]),
        labels=parse_labels(filter(None, flags["label"])),
        output=output,
    )


def parse_days(start: str, end: str, today: date) -> tuple[date, date]:
    """The first and the last day, both included; by default the last is yesterday.

    Raises:
        FlagError: a day is invalid, or not complete yet.
    """
    yesterday = today - DAY
    first = parse_day(start, "--start")
    last = parse_day(end, "--end") if end else yesterday
    if last > yesterday:
        raise FlagError(f"--end must be at most {yesterday}: only complete days are written")
    if not EARLIEST_DAY <= first <= last:
        raise FlagError(f"--start must be from {EARLIEST_DAY} to {last}")
    return first, last


def parse_step(text: str) -> int:
    """The seconds of a step such as `5m`.

    Raises:
        FlagError: it does not divide a day.
    """
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0
    if not seconds or int(seconds) != seconds or DAY_SECONDS % seconds:
        raise FlagError("--step must divide a day evenly, such as 5m, 15m, 1h or 1d")
    return int(seconds)


def parse_labels(pairs: Iterable[str]) -> str:
    """The labels of `--label NAME=VALUE`, formatted: those that Prometheus adds when it scrapes.

    Raises:
        FlagError: a name is invalid, used by the exporter, or given twice.
    """
    labels: dict[str, str] = {}
    for pair in pairs:
        match = _LABEL.fullmatch(pair)
        if not match or match[1].startswith("__"):
            raise FlagError(f"invalid --label {pair}; expected NAME=VALUE")
        if match[1] in _RESERVED_LABELS or match[1] in labels:
            raise FlagError(f"invalid --label {pair}; {match[1]} is already in use")
        labels[match[1]] = match[2]
    return format_labels(labels.items())
