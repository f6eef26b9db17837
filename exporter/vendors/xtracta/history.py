"""Xtracta's past usage: the periods of plans and packs.

The vendor reports what was used by the end of a period, and nothing of the days before: those have
only what was fixed.
Source: Xtracta API v1, `POST /v1/billings/history`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY, DAY_SECONDS, midnight_seconds
from exporter.model import HistoricalResult, PollError, PollFailure, PollResult
from exporter.past_usage import Account, Money, Period, UnreadScope
from exporter.vendors.base import History
from exporter.vendors.common.scope_failures import result_or_rejection
from exporter.vendors.xtracta.mapper import group_samples, plan_result
from exporter.vendors.xtracta.metrics import DOCUMENTS, PACK, PLAN, RESOURCE
from exporter.vendors.xtracta.periods import (
    history_request,
    parse_history,
    previous_period,
)
from exporter.vendors.xtracta.poller import read_groups

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from exporter.past_usage import PastUsage
    from exporter.vendors.base import HistoryQuery, Transport
    from exporter.vendors.xtracta.api import Group, Plan
    from exporter.vendors.xtracta.periods import PlanPeriod
    from exporter.vendors.xtracta.settings import Settings

_OF_USE: Final = frozenset(
    metrics[figure] for metrics in (PLAN, PACK, RESOURCE) for figure in ("used", "available")
)


class Past(NamedTuple):
    """The past of one group.

    Args:
        group: its id.
        named: its name and place in the tree; None where unknown.
        periods: those that touch the days that were requested, in order of time; or why the
            vendor refuses them.
        plans: the plans and packs that there are now.
    """

    group: str
    named: Group | None
    periods: list[PlanPeriod] | PollFailure
    plans: list[Plan]


async def read(settings: Settings, send: Transport, query: HistoryQuery) -> AsyncGenerator[Past]:
    """The past of each group; see `base.History`.

    Groups and their names are today's.
    """
    begin, end = _bounds(query)
    today = await read_groups(settings, send)
    key = settings.key.read()
    readable = dict.fromkeys(plan.group for plan in today.plans)
    failed = (failure.value for failure in today.failures)

    async def periods_of(group: str) -> list[PlanPeriod]:
        body = await send(history_request(settings, key, group, begin, end))
        return parse_history(body, key, group)

    for group in dict.fromkeys((*readable, *failed)):
        yield Past(
            group,
            today.names.get(group) if group in readable else None,
            await result_or_rejection(periods_of(group)),
            [plan for plan in today.plans if plan.group == group],
        )


def _bounds(query: HistoryQuery) -> tuple[float, float]:
    """When the first day begins and the last one ends, Unix seconds."""
    return midnight_seconds(query.first), midnight_seconds(query.last + DAY)


def to_results(_settings: Settings, past: Past, query: HistoryQuery) -> Iterator[HistoricalResult]:
    """What a poll would have read at the end of each period, and before what was fixed."""
    begin, end = _bounds(query)
    if isinstance(past.periods, PollFailure):
        raise PollError(*past.periods)
    names = {past.group: past.named} if past.named else {}
    yield HistoricalResult(begin, end, PollResult(tuple(group_samples(names, names))))
    plans = [period.plan for period in past.periods]
    for period in past.periods:
        yield from _valid_results(
            period, plan_result(period.plan, plans, names, period.end), begin, end
        )


def to_usage(settings: Settings, past: Past, query: HistoryQuery) -> Iterator[PastUsage]:
    """The periods that overlap the days, and the current plans that the history lacks."""
    begin, end = _bounds(query)
    periods = past.periods
    if isinstance(periods, PollFailure):
        yield UnreadScope(f"past periods of group {past.group}", periods)
        periods = []
    account = Account("group", past.group, past.named.name if past.named else "")
    current = (
        plan
        for plan in past.plans
        if not any(
            period.of == (plan.kind, plan.identifier) and plan.start in {None, period.begin}
            for period in periods
        )
    )
    found = [
        *((period.plan, period.begin, period.end) for period in periods),
        *((plan, plan.start, plan.expiry) for plan in current),
    ]
    for plan, start, expiry in found:
        if (start is None or start < end) and (expiry is None or expiry > begin):
            renews = settings.renews or _is_renewed(plan, periods)
            yield from _usage(plan, start, expiry, account, renews=renews)


def _is_renewed(plan: Plan, periods: Sequence[PlanPeriod]) -> bool:
    """Whether a period before or after this one shows that the plan is renewed."""
    previous = previous_period(plan, periods)
    following = any(
        period.of == (plan.kind, plan.identifier) and period.begin == plan.expiry
        for period in periods
    )
    return following or bool(previous and previous.renewed)


def _usage(
    plan: Plan, start: float | None, end: float | None, account: Account, *, renews: bool
) -> Iterator[Period]:
    """A period for each resource of a plan or pack; the price is that of the first."""
    price = Money(plan.price, plan.currency) if plan.price is not None and plan.currency else None
    resources = sorted(plan.resources, key=lambda name: name != DOCUMENTS)
    for resource in resources:
        is_first = resource == resources[0]
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
            price if is_first else None,
            has_own_price=is_first,
            renews=renews and plan.kind == "plan",
        )


def _valid_results(
    period: PlanPeriod, at_end: PollResult, first: float, after: float
) -> Iterator[HistoricalResult]:
    """A period as far as it lies between `first` and `after`.

    Its last 24 hours have all that is known at the end; before, and in a period that is not over,
    there is only what was so all the time.
    """
    fixed = (sample for sample in at_end.samples if sample.metric not in _OF_USE)
    begin = max(period.begin, first)
    last_day = max(begin, period.end - DAY_SECONDS) if period.end <= after else after
    yield HistoricalResult(begin, last_day, PollResult(tuple(fixed)))
    yield HistoricalResult(last_day, min(period.end, after), at_end)


HISTORY: Final = History(read, to_results, to_usage)
