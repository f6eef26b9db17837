"""Xtracta's past: the periods of plans and packs.

The vendor tells what was used by the end of a period, and nothing of the days before: those have
what was fixed alone.
Source: Xtracta API v1, `POST /v1/billings/history`.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter import forecast
from exporter.model import HistoricalResult, PollResult, malformed_response
from exporter.vendors.common import xml_parser
from exporter.vendors.common.days import DAY, midnight
from exporter.vendors.common.text import sanitize
from exporter.vendors.xtracta.api import (
    Group,
    Plan,
    Usage,
    api_request,
    check_envelope,
    parse_timestamp,
)
from exporter.vendors.xtracta.mapper import poll_result
from exporter.vendors.xtracta.metrics import GROUP_INFO, PACK, PLAN
from exporter.vendors.xtracta.poller import create_poller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from exporter.client.client import Request
    from exporter.secrets import Secret
    from exporter.vendors.base import Transport
    from exporter.vendors.common.xml_parser import Element
    from exporter.vendors.xtracta.settings import Settings

_CURRENCY: Final = re.compile(r"([A-Z]{3})?")
_OF_USE: Final = frozenset(of[figure] for of in (PLAN, PACK) for figure in ("used", "available"))


async def history(
    settings: Settings, send: Transport, first: date, last: date
) -> AsyncIterator[Sequence[HistoricalResult]]:
    """The periods that touch the days from `first` to `last`; see `vendors.History`.

    Groups and their names are those there are today.
    """
    begin, end = midnight(first), midnight(last + DAY)
    today = await create_poller(settings)(send, time.time())
    infos = {each.labels[0]: each for each in today.samples if each.metric is GROUP_INFO}
    names = {group: Group(*each.labels[1:]) for group, each in infos.items()}
    key = settings.key.read()
    for group in dict.fromkeys(sample.labels[0] for sample in today.samples):
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
    """Ask for the periods of a group from `begin` until before `end`, Unix seconds."""
    if not group:
        raise malformed_response(
            "the vendor does not tell the id of the key's own group: name it in groups"
        )
    form = {
        "group_id": group,
        "billing_from": f"{begin:.0f}",
        "billing_to": f"{end - 1:.0f}",
    }
    return api_request(settings, key, "billings/history", form)


def parse_history(body: bytes, key: Secret, group: str) -> list[Period]:
    """The periods in a reply about `group`; those without a start or an end are left out.

    Raises:
        PollError: as `parse_usage` does.
    """
    activities = check_envelope(body, "billings_response", key).iter("activity")
    periods = (_period(xml_parser.children(activity), key, group) for activity in activities)
    return [period for period in periods if period]


def _period(fields: Mapping[str, Element], key: Secret, group: str) -> Period | None:
    begin = parse_timestamp(fields.get("start_date"), "start_date")
    end = parse_timestamp(fields.get("expiry_date"), "expiry_date")
    if begin is None or end is None:
        return None
    return Period(_plan(fields, key, group)._replace(start=begin, expiry=end), begin, end)


def _plan(fields: Mapping[str, Element], key: Secret, group: str) -> Plan:
    if xml_parser.text(fields.get("group_id")) not in {"", group}:
        raise malformed_response("the reply is about another group than the one asked for")
    currency = xml_parser.text(fields.get("price_currency"))
    if not _CURRENCY.fullmatch(currency):
        raise malformed_response("price_currency is not a currency's code")
    allowed = xml_parser.whole_number(fields.get("allowed_documents"), "allowed_documents")
    used = xml_parser.whole_number(fields.get("used_documents"), "used_documents")
    return Plan(
        kind="pack" if xml_parser.text(fields.get("plan_type")).lower() == "pack" else "plan",
        group=group,
        identifier=str(xml_parser.whole_number(fields.get("id"), "id")),
        name=sanitize(xml_parser.text(fields.get("plan")), key),
        figures={"allowed": allowed, "used": used, "available": max(0, allowed - used)},
        price=xml_parser.decimal_number(fields.get("price"), "price"),
        currency=currency,
        start=None,
        expiry=None,
    )


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
    last_day = max(begin, period.end - forecast.DAY) if period.end <= after else after
    yield HistoricalResult(begin, last_day, _fixed(read))
    yield HistoricalResult(last_day, min(period.end, after), read)


def _fixed(read: PollResult) -> PollResult:
    """What was so all the time."""
    return PollResult(tuple(sample for sample in read.samples if sample.metric not in _OF_USE))


def _poll_result(
    period: Period, periods: Iterable[Period], names: Mapping[str, Group]
) -> PollResult:
    """What a poll would have read of a period when it ended.

    A pack is read beside a plan that has the same id, since its allowance has another name then.
    """
    is_pack = period.plan.kind == "pack"
    same_id = ("plan", period.plan.identifier)
    beside = next((other.plan for other in periods if is_pack and other.of == same_id), None)
    plans = (period.plan, beside) if beside else (period.plan,)
    read = poll_result({None: Usage(plans, ())}, names, period.end)
    samples = (sample for sample in read.samples if sample.metric is not GROUP_INFO)
    samples = (sample for sample in samples if ("pack_id" in sample.metric.labels) == is_pack)
    return PollResult(tuple(samples), read.allowances[:1])
