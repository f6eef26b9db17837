"""Reads the history of one target after the other, then writes it out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.backfill.spool import Spool, append
from exporter.days import DAY, midnight
from exporter.history.reader import history_of
from exporter.model import PollError
from exporter.vendors.base import HistoryQuery

if TYPE_CHECKING:
    from datetime import datetime

    from exporter.backfill.options import BackfillOptions
    from exporter.backfill.spool import OutputSize
    from exporter.history.reader import HistoryReader


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
        failures: a message for each target that failed.
    """

    size: OutputSize | None
    failures: list[str]


async def backfill(options: BackfillOptions, reader: HistoryReader) -> Result:
    """Write the output; if a target fails, keep the others' history for the next run."""
    spool = Spool(options)
    query = HistoryQuery(options.first, options.last)
    failures = []
    for done, target in enumerate(options.targets):
        if spool.has(target):
            continue
        to_results = history_of(target).to_results
        try:
            with spool.open(target) as folder:
                async for past in reader.read(target, query, done):
                    append(folder, target, to_results(target, past, query))
        except PollError as error:
            failures.append(f"{target.name}: {error}")
    reader.progress.show(len(options.targets), "writing")
    size = None if failures else spool.write_out()
    reader.progress.clear()
    return Result(size, failures)


def report(result: Result, options: BackfillOptions, now: datetime) -> str:
    """The result for people, and the next step."""
    if result.size is None:
        return _FAILURE.format(
            output=options.output,
            failures="\n".join(result.failures),
            failed=len(result.failures),
            all=len(options.targets),
            last=options.last,
        )
    text = _SUCCESS.format(
        output=options.output, first=options.first, last=options.last, **result.size._asdict()
    )
    time = midnight(options.last + DAY) + _HEAD_BLOCK
    return text + (_NOT_YET.format(time=time) if now < time else "")
