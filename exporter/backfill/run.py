"""Reads the history of one target after the other, then writes it out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.backfill.retry import with_retry
from exporter.backfill.spool import Spool
from exporter.model import PollError, PollFailure
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.backfill.plan import BackfillPlan
    from exporter.backfill.progress import Progress
    from exporter.backfill.spool import OutputSize, TargetSpool
    from exporter.client.client import HttpClient
    from exporter.config.models import Target
    from exporter.polling.limits import RateLimiter
    from exporter.vendors.base import Transport


_SUCCESS: Final = """\
{output}: {series:,} series, {samples:,} samples, {first} to {last}. To import it into the
directory in which Prometheus keeps its data (its --storage.tsdb.path):
  promtool tsdb create-blocks-from --max-block-duration=744h openmetrics {output} DIRECTORY"""
_NOT_YET: Final = (
    "\nImport it after {time:%H:%M} UTC: Prometheus itself still writes the last three hours."
)
_FAILURE: Final = """\
{failures}
{output} was not written: {failed} of {all} targets failed. The others are on disk: the same
command with --end={last} continues."""
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
    plan: BackfillPlan, client: HttpClient, rate_limiter: RateLimiter, progress: Progress
) -> Result:
    """Write the plan's output; if a target fails, keep the others' history for the next run.

    Args:
        plan: what to write.
        client: makes the requests.
        rate_limiter: limits the requests to each host.
        progress: is updated.
    """
    spool = Spool(plan)
    failures: dict[str, PollFailure] = {}
    for done, target in enumerate(plan.targets):
        progress.show(done, target.name)
        if spool.has(target):
            continue
        send = with_retry(client.transport(target.http), rate_limiter, target.poll.timeout)
        show = partial(progress.show, done, target.name)
        try:
            with spool.open(target) as target_spool:
                await _read_history(target, plan, target_spool, send, show)
        except PollError as error:
            failures[target.name] = error.failure
    progress.show(len(plan.targets), "writing")
    size = None if failures else spool.write_out()
    progress.clear()
    return Result(size, failures)


async def _read_history(
    target: Target,
    plan: BackfillPlan,
    spool: TargetSpool,
    send: Transport,
    show: Callable[[int], None],
) -> None:
    """Spool a target's history, one scope or group after the other."""
    history = VENDORS[target.vendor].history
    assert history is not None  # noqa: S101  the plan has no target without
    scopes = 0
    async for results in history(target, send, plan.first, plan.last):
        spool.add(results)
        scopes += 1
        show(scopes)


def report(result: Result, plan: BackfillPlan, now: datetime) -> str:
    """The result for people, and the next step."""
    if result.size is None:
        return _FAILURE.format(
            output=plan.output,
            failures="\n".join(
                f"{name}: {failure.reason}: {failure.detail}"
                for name, failure in result.failures.items()
            ),
            failed=len(result.failures),
            all=len(plan.targets),
            last=plan.last,
        )
    text = _SUCCESS.format(
        output=plan.output, first=plan.first, last=plan.last, **result.size._asdict()
    )
    midnight = datetime(plan.last.year, plan.last.month, plan.last.day, tzinfo=UTC)
    time = midnight + timedelta(days=1) + _HEAD_BLOCK
    return text + (_NOT_YET.format(time=time) if now < time else "")
