"""Reads what a report is about: the history of one target after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.history.reader import history_of
from exporter.model import PollError
from exporter.reports.rows import target_report
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from exporter.history.reader import HistoryReader
    from exporter.past_usage import PastUsage
    from exporter.reports.options import ReportOptions
    from exporter.reports.rows import TargetReport


class Reading(NamedTuple):
    """What was read.

    Args:
        targets: those that were read.
        failures: a message for each that was not.
    """

    targets: tuple[TargetReport, ...]
    failures: tuple[str, ...]


async def read(options: ReportOptions, reader: HistoryReader) -> Reading:
    """Read the history of the targets; one that fails costs no other."""
    targets, failures = [], []
    for done, target in enumerate(options.targets):
        to_usage = history_of(target).to_usage
        past: list[PastUsage] = []
        try:
            async for part in reader.read(target, options.query, done):
                past += to_usage(target, part, options.query)
        except PollError as error:
            failures.append(f"{target.name}: {error}")
        else:
            title = VENDORS[target.vendor].title or target.vendor
            targets.append(target_report(target.name, title, past, options.by))
    reader.progress.clear()
    return Reading(tuple(targets), tuple(failures))
