"""Reads what a report is about: the history of one target after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.history.reader import HistoryReader, history_of
from exporter.model import PollError
from exporter.reports.rows import target_report
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from exporter.client.client import HttpClient
    from exporter.history.progress import Progress
    from exporter.past_usage import PastUsage
    from exporter.polling.limits import RateLimiter
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


async def read(
    options: ReportOptions, client: HttpClient, rate_limiter: RateLimiter, progress: Progress
) -> Reading:
    """Read the history of the targets; one that fails costs no other.

    Args:
        options: what to report.
        client: makes the requests.
        rate_limiter: limits the requests to each host.
        progress: is updated.
    """
    reader = HistoryReader(client, rate_limiter, progress)
    targets, failures = [], []
    for done, target in enumerate(options.targets):
        progress.show(done, target.name)
        vendor = VENDORS[target.vendor]
        to_usage = history_of(target).to_usage
        past: list[PastUsage] = []
        try:
            async for part in reader.read(target, options.query, done):
                past += to_usage(target, part, options.query)
        except PollError as error:
            failures.append(f"{target.name}: {error}")
        else:
            title = vendor.title or target.vendor
            targets.append(target_report(target.name, title, past, options.by))
    progress.clear()
    return Reading(tuple(targets), tuple(failures))
