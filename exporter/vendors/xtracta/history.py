"""Xtracta's past usage: the periods of plans and packs.

The vendor reports what was used by the end of a period, and nothing of the days before: those have
only what was fixed.
Source: Xtracta API v1, `POST /v1/billings/history`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.model import HistoricalResult, PollResult, malformed_response
from exporter.usage_pace import DAY as DAY_SECONDS
from exporter.vendors.common import xml_parser
from exporter.vendors.common.days import DAY, midnight
from exporter.vendors.xtracta.api import (
    Group,
    Plan,
    PlanReader,
    api_request,
    check_envelope,
)
from exporter.vendors.xtracta.mapper import plan_result
from exporter.vendors.xtracta.metrics import GROUP_INFO, PACK, PLAN, RESOURCE
from exporter.vendors.xtracta.poller import create_poller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from exporter.client.client import Request
    from exporter.secrets import Secret
    from exporter.vendors.base import Transport
    from exporter.vendors.common.xml_parser import Element
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
    today = await create_poller(settings)(send, time.time())
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


class Period(NamedTuple):
    """A plan or pack as it was when a period of it ended, and the period, Unix seconds."""

    plan: Plan
    begin: float
    end: float

    @property
    def of(self) -> tuple[str, str]:
        """What the plan or pack has in common with its other periods."""
        return self.plan.kind, self.plan.identifier


def history_request(
    settings: Settings, key: Secret, group: str, begin: float, end: float
) -> Request:
    """Request the periods of a group from `begin` until before `end`, Unix seconds."""
    if not group:
        raise malformed_response(
            "the reply has no id of the key's own group; set groups to that id"
        )
    form = {
        "group_id": group,
        "billing_from": f"{begin:.0f}",
        "billing_to": f"{end - 1:.0f}",
    }
    return api_request(settings, key, "billings/history", form)


def parse_history(body: bytes, key: Secret, group: str) -> list[Period]:
    """The periods in a reply about `group`; those without a start, an end or an id are left out.

    Raises:
        PollError: as `parse_usage` does.
    """
    activities = check_envelope(body, "billings_response", key).iter("activity")
    periods = (_period(activity, key, group) for activity in activities)
    return [period for period in periods if period]


def _period(activity: Element, key: Secret, group: str) -> Period | None:
    plan_type = xml_parser.read_text(xml_parser.find_one(activity, "plan_type"))
    reader = PlanReader(
        activity, "pack" if plan_type and plan_type.lower() == "pack" else "plan", key
    )
    if reader.text("group_id") not in {"", group}:
        raise malformed_response("the reply is about another group than the one requested")
    identifier = reader.number("id")
    begin, end = reader.timestamp("start_date"), reader.timestamp("expiry_date", is_end=True)
    if begin is None or end is None or identifier is None:
        return None
    plan = Plan(
        kind=reader.kind,
        group=group,
        identifier=str(identifier),
        name=reader.text("plan"),
        resources={
            name: figures._replace(available=figures.remaining)
            for name, figures in reader.resources().items()
        },
        price=reader.price(),
        currency=reader.currency(),
        start=begin,
        expiry=end,
    )
    return Period(plan, begin, end)


def without_overlaps(periods: Iterable[Period]) -> list[Period]:
    """The periods in order of time; one ends where the next of the same plan or pack begins."""
    follows: dict[tuple[str, str], float] = {}
    found = []
    for period in sorted(periods, key=lambda each: each.begin, reverse=True):
        found.append(period._replace(end=min(period.end, follows.get(period.of, period.end))))
        follows[period.of] = period.begin
    return found[::-1]


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
