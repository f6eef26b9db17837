"""Affinda's past usage: the daily figures of the organization and of its parts.

One request for each scope returns them. For `backfill` they are cut off after each complete day
and mapped as a poll maps them; for `report` they are the usage itself.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY, days_between, midnight, midnight_seconds
from exporter.model import HistoricalResult, PollError, PollFailure, PollResult
from exporter.past_usage import Account, DailyUsage, Money, Part, Period, UnreadScope
from exporter.vendors.affinda.api import Scope, Usage, parse_usage, usage_request
from exporter.vendors.affinda.mapper import describe, name_of, poll_result
from exporter.vendors.affinda.metrics import ALLOWANCE_NAMES, AXES
from exporter.vendors.affinda.poller import discover
from exporter.vendors.base import History
from exporter.vendors.common.scope_failures import result_or_rejection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping
    from datetime import date

    from exporter.past_usage import PastUsage
    from exporter.vendors.affinda.metrics import Axis
    from exporter.vendors.affinda.settings import Settings
    from exporter.vendors.base import HistoryQuery, Transport
    from exporter.vendors.common.allowance import AllowanceSettings

_LOOKBACK: Final = 365 * DAY  # what the longest window needs to reach back from the first day
_KINDS: Final[Mapping[Axis, str]] = {"workspace": "workspace", "documentType": "document-type"}
_REGIONS: Final = {
    "api": "Australia and global",
    "api.eu1": "European Union",
    "api.us1": "United States",
}
_UNIT: Final = "credits"
_PRICE_KEYS: Final = "allowance.price_per_credit and allowance.currency"


class Past(NamedTuple):
    """The past of one scope.

    Args:
        today: the vendor's current day.
        names: by axis, identifier to name, as they are today.
        organization: the organization's daily figures: its current day is every scope's.
        scope: whose past it is.
        usage: its daily figures, back to what its windows and the allowance need; or why the
            vendor refuses them.
    """

    today: date
    names: Mapping[Axis, Mapping[str, str]]
    organization: Usage
    scope: Scope
    usage: Usage | PollFailure


async def read(settings: Settings, send: Transport, query: HistoryQuery) -> AsyncGenerator[Past]:
    """The organization's past, and then that of each scope; see `base.History`.

    Scopes and their names are today's. A query that begins after the current day yields nothing.
    """
    today, names, scopes, _ = await discover(_with_kinds(settings, query), send)
    last = min(query.last, today)
    if last < query.first:
        return
    start = query.first - _LOOKBACK
    if settings.allowance:
        start = min(start, settings.allowance.bounds(query.first)[0])
    key = settings.key.read()
    organization = Scope("organization", settings.organization)

    async def usage_of(scope: Scope) -> Usage:
        body = await send(usage_request(settings, key, scope, start, last))
        return parse_usage(body, scope, start, last)

    whole = await usage_of(organization)
    yield Past(today, names, whole, organization, whole)
    for scope in scopes:
        usage = await result_or_rejection(usage_of(scope))
        yield Past(today, names, whole, scope, usage)


def _with_kinds(settings: Settings, query: HistoryQuery) -> Settings:
    """The settings without the scopes that are not needed."""
    if query.scope_kinds is None:
        return settings
    return settings.model_copy(
        update={
            AXES[axis].listed: "none"
            for axis, kind in _KINDS.items()
            if kind not in query.scope_kinds
        }
    )


def to_results(settings: Settings, past: Past, query: HistoryQuery) -> list[HistoricalResult]:
    """What a poll would have read of the scope at the end of each complete day.

    Days that the figures do not cover are absent.
    """
    if isinstance(past.usage, PollFailure):
        raise PollError(*past.usage)
    usages = {
        Scope("organization", settings.organization): past.organization,
        past.scope: past.usage,
    }
    label = None if past.scope.axis == "organization" else AXES[past.scope.axis].label
    if label:  # the allowance and its forecast are the organization's
        settings = settings.model_copy(update={"allowance": None})
    first = max(query.first, *(usage.start for usage in usages.values()))
    last = min(query.last, past.today - DAY, *(usage.today for usage in usages.values()))
    return [
        HistoricalResult(
            midnight_seconds(day),
            midnight_seconds(day + DAY),
            _of_label(poll_result(settings, _until(usages, day), past.names), label),
        )
        for day in days_between(first, last)
    ]


def _until(usages: Mapping[Scope, Usage], day: date) -> dict[Scope, Usage]:
    """The figures as they were when the day ended."""
    return {
        scope: Usage(usage.start, usage.counts[: (day - usage.start).days + 1])
        for scope, usage in usages.items()
    }


def _of_label(read: PollResult, label: str | None) -> PollResult:
    """The samples with this label; everything without one."""
    if label is None:
        return read
    return PollResult(tuple(sample for sample in read.samples if label in sample.metric.labels))


def to_usage(settings: Settings, past: Past, query: HistoryQuery) -> Iterator[PastUsage]:
    """The scope's usage by day; with the organization's come the periods of the allowance."""
    axis, identifier = past.scope
    usage = past.usage
    if isinstance(usage, PollFailure):
        yield UnreadScope(describe(past.scope), usage)
    region = "" if settings.base_url else settings.region
    account = Account(
        "organization",
        settings.organization,
        name_of(Scope("organization", settings.organization), past.names),
        region,
        _REGIONS.get(region, ""),
    )
    is_part = axis != "organization"
    last = min(query.last, past.today)
    yield DailyUsage(
        account,
        Part(_KINDS[axis], identifier, name_of(past.scope, past.names)) if is_part else None,
        _UNIT,
        query.first,
        tuple(_count(usage, day) for day in days_between(query.first, last)),
        past.today,
        _unit_price(settings.allowance),
        _PRICE_KEYS,
    )
    if settings.allowance and not is_part:
        yield from _periods(settings.allowance, account, past, query)


def _count(usage: Usage | PollFailure, day: date) -> int | None:
    if isinstance(usage, PollFailure):
        return None
    counts = usage.days(day, day)
    return counts[0] if counts else None


def _unit_price(allowance: AllowanceSettings | None) -> Money | None:
    if allowance is None or allowance.price_per_credit is None or allowance.currency is None:
        return None
    # The shortest text of the number is what the file says.
    return Money(Decimal(repr(allowance.price_per_credit)), allowance.currency)


def _periods(
    allowance: AllowanceSettings, account: Account, past: Past, query: HistoryQuery
) -> Iterator[Period]:
    """The periods of the allowance that overlap the days; none if nothing was purchased."""
    if not allowance.credits:
        return
    unit_price = _unit_price(allowance)
    price = unit_price and unit_price.times(allowance.credits)
    last = min(query.last, past.today)
    until = min(last + DAY, past.today)
    start, after = allowance.bounds(query.first)
    while start <= last and (after is None or query.first < after):
        days = past.organization.days(start, min(last, after - DAY) if after else last)
        yield Period(
            account,
            "allowance",
            _UNIT,
            ALLOWANCE_NAMES[allowance.period],
            _UNIT,
            midnight(start),
            midnight(after) if after else None,
            allowance.credits,
            None if days is None else sum(days),
            price,
            renews=allowance.period != "prepaid",
            is_used_by_day=True,
            final_until=midnight(until),
        )
        if after is None or allowance.period == "prepaid":
            return
        start, after = allowance.bounds(after)


HISTORY: Final = History(read, to_results, to_usage)
