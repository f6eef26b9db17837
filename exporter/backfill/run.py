"""Reads the history of one target after the other, then writes it out."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.backfill.spool import Spool
from exporter.days import DAY, midnight
from exporter.history.reader import HistoryReader, history_of
from exporter.model import PollError, PollFailure
from exporter.vendors.base import HistoryQuery

if TYPE_CHECKING:
    from datetime import datetime

    from exporter.backfill.options import BackfillOptions
    from exporter.backfill.spool import OutputSize
    from exporter.client.client import HttpClient
    from exporter.history.progress import Progress
    from exporter.polling.limits import RateLimiter


_SUCCESS: Final = """\
{output}: {series:,} series, {samples:,} samples, {first} to {last}. To import it into the
directory in which Prometheus keeps its data (its --storage.tsdb.path):
  promtool tsdb create-blocks-from --max-block-duration=744h openmetrics {output} DIRECTORY"""
_NOT_YET: Final = (
    "\nImport it after {time:%H:%M} UTC: Prometheus itself still writes the last three hours."
)
_FAILURE: Final = """\
{failures}
{output} was not written: {failed} of {all} targets failed. The others are in {output}.partial.
Mend the cause and repeat the command with --end={last}, or name the targets to write."""
_HEAD_BLOCK: Final = timedelta(hours=3)  # what Prometheus has not written to a block yet


class Result(NamedTuple):
    """The result of a backfill.

    Args:
        size: what the output contains, or None if it was not written.
        failures: by target.
    """

    size: OutputSize | None
    failures: dict[str, PollFailure]


async def backfill(
    options: BackfillOptions, client: HttpClient, rate_limiter: RateLimiter, progress: Progress
) -> Result:
    """Write the output; if a target fails, keep the others' history for the next run.

    Args:
        options: what to write.
        client: makes the requests.
        rate_limiter: limits the requests to each host.
        progress: is updated.
    """
    spool = Spool(options)
    reader = HistoryReader(client, rate_limiter, progress)
    query = HistoryQuery(options.first, options.last)
    failures: dict[str, PollFailure] = {}
    for done, target in enumerate(options.targets):
        progress.show(done, target.name)
        if spool.has(target):
            continue
        to_results = history_of(target).to_results
        try:
            with spool.open(target) as target_spool:
                async with aclosing(reader.read(target, query, done)) as parts:
                    async for past in parts:
                        target_spool.add(to_results(target, past, query))
        except PollError as error:
            failures[target.name] = error.failure
    progress.show(len(options.targets), "writing")
    size = None if failures else spool.write_out()
    progress.clear()
    return Result(size, failures)


def report(result: Result, options: BackfillOptions, now: datetime) -> str:
    """The result for people, and the next step."""
    if result.size is None:
        return _FAILURE.format(
            output=options.output,
            failures="\n".join(
                f"{name}: {failure.reason}: {failure.detail}"
                for name, failure in result.failures.items()
            ),
            failed=len(result.failures),
            all=len(options.targets),
            last=options.last,
        )
    text = _SUCCESS.format(
        output=options.output, first=options.first, last=options.last, **result.size._asdict()
    )
    time = midnight(options.last + DAY) + _HEAD_BLOCK
    return text + (_NOT_YET.format(time=time) if now < time else "")
