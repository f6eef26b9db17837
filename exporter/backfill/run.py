"""Asks for the past of each target in turn, and writes it out once it is all there."""

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
    from exporter.backfill.spool import TargetSpool, Written
    from exporter.client.client import HttpClient
    from exporter.config.models import Target
    from exporter.polling.limits import RateLimiter
    from exporter.vendors.base import Transport


_DONE: Final = """\
{output}: {series:,} series, {samples:,} samples, {first} to {last}. Next, into the folder in which
Prometheus keeps its data (its --storage.tsdb.path):
  promtool tsdb create-blocks-from --max-block-duration=744h openmetrics {output} FOLDER"""
_WAIT: Final = (
    "\nNot before {until:%H:%M} UTC: Prometheus still writes the last three hours itself."
)
_FAILED: Final = """\
{failures}
{output} is not written: {failed} of {all} targets failed. What was read is kept beside it; the same
command with --end={last} goes on from there."""
_STILL_WRITTEN: Final = timedelta(hours=3)


class Result(NamedTuple):
    """How it went.

    Args:
        written: how much is in the output; None where there is none.
        failures: by target.
    """

    written: Written | None
    failures: dict[str, PollFailure]


async def backfill(
    order: BackfillPlan, client: HttpClient, rate_limiter: RateLimiter, progress: Progress
) -> Result:
    """Write the order's file, or keep what could be found out until it is run again.

    Args:
        order: what to write.
        client: makes the requests.
        rate_limiter: delays each request.
        progress: is shown.
    """
    spool = Spool(order)
    failures: dict[str, PollFailure] = {}
    for done, target in enumerate(order.targets):
        progress.show(done, target.name)
        if spool.has(target):
            continue
        send = with_retry(client.transport(target.http), rate_limiter, target.poll.timeout)
        try:
            with spool.of(target) as past:
                await _ask(target, order, past, send, partial(progress.show, done, target.name))
        except PollError as error:
            failures[target.name] = error.failure
    progress.show(len(order.targets), "writing")
    written = None if failures else spool.write_out()
    progress.clear()
    return Result(written, failures)


async def _ask(
    target: Target,
    order: BackfillPlan,
    past: TargetSpool,
    send: Transport,
    show: Callable[[int], None],
) -> None:
    """Spool what the target's vendor tells of its past, one scope or group after the other."""
    parts = 0
    history = VENDORS[target.vendor].history
    assert history is not None  # noqa: S101  the plan has no target without
    async for historical_results in history(target, send, order.first, order.last):
        past.add(historical_results)
        parts += 1
        show(parts)


def report(result: Result, order: BackfillPlan, now: datetime) -> str:
    """What came of it and what to do next, in words."""
    if result.written is None:
        return _FAILED.format(
            output=order.output,
            failures="\n".join(
                f"{name}: {failure.reason}: {failure.detail}"
                for name, failure in result.failures.items()
            ),
            failed=len(result.failures),
            all=len(order.targets),
            last=order.last,
        )
    told = {"output": order.output, "first": order.first, "last": order.last}
    midnight = datetime(order.last.year, order.last.month, order.last.day, tzinfo=UTC)
    until = midnight + timedelta(days=1) + _STILL_WRITTEN
    return _DONE.format(**told, **result.written._asdict()) + (
        _WAIT.format(until=until) if now < until else ""
    )
