"""Xtracta's past usage: the periods of plans and packs.

The vendor reports what was used by the end of a period, and nothing of the days before: those have
only what was fixed.
Source: Xtracta API v1, `POST /v1/billings/history`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from exporter.model import HistoricalResult, PollResult
from exporter.usage_pace import DAY as DAY_SECONDS
from exporter.vendors.common.days import DAY, midnight
from exporter.vendors.xtracta.api import Group
from exporter.vendors.xtracta.mapper import plan_result
from exporter.vendors.xtracta.metrics import GROUP_INFO, PACK, PLAN, RESOURCE
from exporter.vendors.xtracta.periods import history_request, parse_history, without_overlaps
from exporter.vendors.xtracta.poller import create_poller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from exporter.vendors.base import Transport
    from exporter.vendors.xtracta.periods import Period
    from exporter.vendors.xtracta.settings import Settings

_OF_USE: Final = frozenset(
    metrics[figure] for metrics in (PLAN, PACK, RESOURCE) for figure in ("used", "available")
)


async def history(
    settings: Settings, send: Transport, first: date, last: date
) -> AsyncIterator[Sequence[HistoricalResult]]:
    """The periods that touch the days from `first` to `last`; see `base.History`.

    Groups and their names are today's.
    """
    begin, end = midnight(first), midnight(last + DAY)
    today = await create_poller(settings, reads_past=False)(send, time.time())
    infos = {each.labels[0]: each for each in today.samples if each.metric is GROUP_INFO}
    names = {group: Group(*each.labels[1:]) for group, each in infos.items()}
    key = settings.key.read()
    readable = (sample.labels[0] for sample in today.samples)
    failed = (failure.value for failure in today.scope_failures)
    for group in dict.fromkeys((*readable, *failed)):
        body = await send(history_request(settings, key, group, begin, end))
        periods = without_overlaps(parse_history(body, key, group))
        named = (infos[group],) if group in infos else ()
        yield [
            HistoricalResult(begin, end, PollResult(named)),
            *(part for period in periods for part in _parts(period, periods, names, begin, end)),
        ]


def _parts(
    period: Period,
    periods: Iterable[Period],
    names: Mapping[str, Group],
    first: float,
    after: float,
) -> Iterator[HistoricalResult]:
    """A period as far as it lies between `first` and `after`.

    Its last 24 hours have all that is known at the end; a period that is not over has none.
    """
    read = _poll_result(period, periods, names)
    begin = max(period.begin, first)
    last_day = max(begin, period.end - DAY_SECONDS) if period.end <= after else after
    yield HistoricalResult(begin, last_day, _fixed(read))
    yield HistoricalResult(last_day, min(period.end, after), read)


def _fixed(read: PollResult) -> PollResult:
    """What was so all the time."""
    return PollResult(tuple(sample for sample in read.samples if sample.metric not in _OF_USE))


def _poll_result(
    period: Period, periods: Iterable[Period], names: Mapping[str, Group]
) -> PollResult:
    """What a poll would have read of a period when it ended."""
    return plan_result(period.plan, [each.plan for each in periods], names, period.end)
