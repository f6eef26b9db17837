"""Xtracta's past: the periods of its plans and packs, as far as they are told.

Source: Xtracta API v1, `POST /v1/billings/history`. It tells what was used by the end of a period
and nothing of the days before: those have what was fixed alone.
"""

from __future__ import annotations

import re
import time
from itertools import islice
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from exporter.records import Reading, Stretch, malformed
from exporter.vendors import _xml, xtracta
from exporter.vendors._days import DAY, day_of, midnight
from exporter.vendors._text import fit_to_show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from exporter.keys import Secret
    from exporter.vendors import Send
    from exporter.vendors._http import Request
    from exporter.vendors._xml import Element

_CURRENCY: Final = re.compile(r"([A-Z]{3})?")
_OF_USE: Final = re.compile(r".*_documents_(used|available)")


async def history(
    settings: xtracta.Settings, send: Send, first: date, last: date
) -> AsyncIterator[Sequence[Stretch]]:
    """The periods that touch the days from `first` to `last`; see `vendors.History`.

    A poll tells first which groups there are.
    """
    today = await xtracta.connect(settings)(send, time.time())
    begin, end = midnight(first), midnight(last + DAY)
    names = tuple(each for each in today.samples if each.metric.name == "xtracta_group_info")
    yield [Stretch(begin, end, Reading(names))]
    key = settings.key.read()
    for group in dict.fromkeys(sample.labels[0] for sample in today.samples):
        body = await send(_request(settings, key, group, begin, end))
        periods = parse_history(body, key, group)
        yield [
            stretch
            for period, until in _apart(periods)
            for stretch in _stretches(_reading(period, until, periods), period, until, begin, end)
        ]


def _request(
    settings: xtracta.Settings, key: Secret, group: str, begin: float, end: float
) -> Request:
    if not group:
        raise malformed("the vendor does not tell the group's id, without which it has no past")
    span = {"billing_from": f"{begin:.0f}", "billing_to": f"{end - 1:.0f}"}
    return xtracta.api_request(settings, key, "billings/history", {"group_id": group} | span)


def parse_history(body: bytes, key: Secret, group: str) -> list[xtracta.Plan]:
    """The periods in a reply about `group`, those without a start or an end left out.

    Each is as the plan or pack was when the period ended.

    Raises:
        PollError: as `xtracta.parse_usage` does.
    """
    activities = xtracta.accepted(body, "billings_response", key).iter("activity")
    periods = (_period(_xml.children(activity), key, group) for activity in activities)
    return [period for period in periods if period.start is not None and period.expiry is not None]


def _period(fields: Mapping[str, Element], key: Secret, group: str) -> xtracta.Plan:
    if _xml.text(fields.get("group_id")) not in {"", group}:
        raise malformed("the reply is about another group than the one asked for")
    currency = _xml.text(fields.get("price_currency"))
    if not _CURRENCY.fullmatch(currency):
        raise malformed("price_currency is not a currency's code")
    allowed, used = (
        _xml.whole_number(fields.get(name), name)
        for name in ("allowed_documents", "used_documents")
    )
    return xtracta.Plan(
        kind="pack" if _xml.text(fields.get("plan_type")).lower() == "pack" else "plan",
        group=group,
        identifier=str(_xml.whole_number(fields.get("id"), "id")),
        name=fit_to_show(_xml.text(fields.get("plan")), key),
        figures={"allowed": allowed, "used": used, "available": max(0, allowed - used)},
        price=_xml.decimal_number(fields.get("price"), "price"),
        currency=currency,
        start=xtracta.moment(fields.get("start_date"), "start_date"),
        expiry=xtracta.moment(fields.get("expiry_date"), "expiry_date"),
    )


def _apart(periods: Iterable[xtracta.Plan]) -> Iterator[tuple[xtracta.Plan, float]]:
    """Each period and its end: its own, or the start of the next one of the same plan or pack."""
    follows: dict[tuple[str, str], float] = {}
    ends = []
    for period in sorted(periods, key=attrgetter("start"), reverse=True):
        identity = period.kind, period.identifier
        ends.append((period, min(period.expiry or inf, follows.get(identity, inf))))
        follows[identity] = period.start or 0.0
    return reversed(ends)


def _reading(period: xtracta.Plan, until: float, periods: Iterable[xtracta.Plan]) -> Reading:
    """What a poll would have read of the period at its end.

    A plan with the id of a pack is read beside the pack, whose allowance it gives another name.
    """
    is_pack = period.kind == "pack"
    plan = (
        each for each in periods if each.kind == "plan" and each.identifier == period.identifier
    )
    beside = tuple(islice(plan, 1)) if is_pack else ()
    read = xtracta.reading({None: xtracta.Usage((period, *beside), ())}, {}, until)
    samples = (each for each in read.samples if ("pack_id" in each.metric.labels) == is_pack)
    return Reading(tuple(samples), read.allowances[:1])


def _stretches(
    reading: Reading, period: xtracta.Plan, until: float, begin: float, end: float
) -> Iterator[Stretch]:
    """The part of a period that lies between `begin` and `end`.

    Args:
        reading: what was read when the period ended; its day, cut off at the end, has it all.
        period: as reported.
        until: when it ended, or will.
        begin, end: Unix seconds.
    """
    begin = max(begin, period.start or 0.0)
    last_day = midnight(day_of(until - 1)) if until <= end else end
    fixed = Reading(
        tuple(each for each in reading.samples if not _OF_USE.fullmatch(each.metric.name))
    )
    yield Stretch(begin, last_day, fixed)
    yield Stretch(max(begin, last_day), min(until, end), reading)
