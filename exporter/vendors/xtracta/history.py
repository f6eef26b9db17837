"""Xtracta's past usage: the periods of plans and packs.

The vendor reports what was used by the end of a period, and nothing of the days before: those have
only what was fixed.
Source: Xtracta API v1, `POST /v1/billings/history`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.model import HistoricalResult, PollResult, Sample, malformed_response
from exporter.past_usage import Account, Money, Period
from exporter.usage_pace import DAY as DAY_SECONDS
from exporter.vendors.base import History
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
from exporter.vendors.xtracta.metrics import DOCUMENTS, GROUP_INFO, PACK, PLAN, RESOURCE
from exporter.vendors.xtracta.poller import read_groups

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from exporter.client.client import Request
    from exporter.secrets import Secret
    from exporter.vendors.base import HistoryQuery, Transport
    from exporter.vendors.common.xml_parser import Element
    from exporter.vendors.xtracta.settings import Settings

_OF_USE: Final = frozenset(
    metrics[figure] for metrics in (PLAN, PACK, RESOURCE) for figure in ("used", "available")
)


class Past(NamedTuple):
    """The past of one group.

    Args:
        group: its id.
        named: its name and place in the tree; None where unknown.
        periods: those that touch the days that were requested, in order of time.
        plans: the plans and packs that there are now.
    """

    group: str
    named: Group | None
    periods: list[PlanPeriod]
    plans: list[Plan]


async def read(settings: Settings, send: Transport, query: HistoryQuery) -> AsyncIterator[Past]:
    """The past of each group; see `base.History`.

    Groups and their names are today's.
    """
    begin, end = _bounds(query)
    today = await read_groups(settings, send)
    key = settings.key.read()
    readable = dict.fromkeys(plan.group for plan in today.plans)
    failed = (failure.value for failure in today.failures)
    for group in dict.fromkeys((*readable, *failed)):
        body = await send(history_request(settings, key, group, begin, end))
        yield Past(
            group,
            today.names.get(group) if group in readable else None,
            without_overlaps(parse_history(body, key, group)),
            [plan for plan in today.plans if plan.group == group],
        )


def _bounds(query: HistoryQuery) -> tuple[float, float]:
    """When the first day begins and the last one ends, Unix seconds."""
    return midnight(query.first), midnight(query.last + DAY)


def to_results(_settings: Settings, past: Past, query: HistoryQuery) -> Iterator[HistoricalResult]:
    """What a poll would have read at the end of each period, and before what was fixed."""
    begin, end = _bounds(query)
    names = {past.group: past.named} if past.named else {}
    infos = (
        Sample(GROUP_INFO, (group, named.name, named.parent), 1) for group, named in names.items()
    )
    yield HistoricalResult(begin, end, PollResult(tuple(infos)))
    for period in past.periods:
        yield from _parts(period, past.periods, names, begin, end)


def to_usage(settings: Settings, past: Past, query: HistoryQuery) -> Iterator[Period]:
    """The periods that overlap the days, and the current plans that the history lacks."""
    begin, end = _bounds(query)
    account = Account("group", past.group, past.named.name if past.named else "")
    current = (
        plan
        for plan in past.plans
        if not any(
            period.of == (plan.kind, plan.identifier) and plan.start in {None, period.begin}
            for period in past.periods
        )
    )
    found = [
        *((period.plan, period.begin, period.end) for period in past.periods),
        *((plan, plan.start, plan.expiry) for plan in current),
    ]
    for plan, start, expiry in found:
        if (start is None or start < end) and (expiry is None or expiry > begin):
            yield from _usage(plan, start, expiry, account, renews=settings.renews)


def _usage(
    plan: Plan, start: float | None, end: float | None, account: Account, *, renews: bool
) -> Iterator[Period]:
    """A period for each resource of a plan or pack; the price is that of the first."""
    price = Money(plan.price, plan.currency) if plan.price is not None and plan.currency else None
    for resource in sorted(plan.resources, key=lambda name: name != DOCUMENTS):
        figures = plan.resources[resource]
        yield Period(
            account,
            plan.kind,
            plan.identifier,
            plan.name,
            resource,
            None if start is None else datetime.fromtimestamp(start, UTC),
            None if end is None else datetime.fromtimestamp(end, UTC),
            figures.allowed,
            figures.used,
            price,
            renews=renews and plan.kind == "plan",
        )
        price = None


class PlanPeriod(NamedTuple):
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


def parse_history(body: bytes, key: Secret, group: str) -> list[PlanPeriod]:
    """The periods in a reply about `group`; those without a start, an end or an id are left out.

    Raises:
        PollError: as `parse_usage` does.
    """
    activities = check_envelope(body, "billings_response", key).iter("activity")
    periods = (_period(activity, key, group) for activity in activities)
    return [period for period in periods if period]


def _period(activity: Element, key: Secret, group: str) -> PlanPeriod | None:
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
    return PlanPeriod(plan, begin, end)


def without_overlaps(periods: Iterable[PlanPeriod]) -> list[PlanPeriod]:
    """The periods in order of time; one ends where the next of the same plan or pack begins."""
    follows: dict[tuple[str, str], float] = {}
    found = []
    for period in sorted(periods, key=lambda each: each.begin, reverse=True):
        found.append(period._replace(end=min(period.end, follows.get(period.of, period.end))))
        follows[period.of] = period.begin
    return found[::-1]


def _parts(
    period: PlanPeriod,
    periods: Iterable[PlanPeriod],
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
    period: PlanPeriod, periods: Iterable[PlanPeriod], names: Mapping[str, Group]
) -> PollResult:
    """What a poll would have read of a period when it ended."""
    return plan_result(period.plan, [each.plan for each in periods], names, period.end)


HISTORY: Final = History(read, to_results, to_usage)
