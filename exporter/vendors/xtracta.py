"""Xtracta: documents of the plans and packs of one or several groups.

Source: Xtracta API v1, `POST /v1/billings/usage` and `POST /v1/group/list`.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlencode

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from exporter import forecast
from exporter.config.models import Target
from exporter.config.problems import wrong
from exporter.records import (
    Allowance,
    Anomaly,
    Metric,
    PollError,
    Reading,
    Reason,
    Sample,
    malformed,
)
from exporter.vendors import _xml
from exporter.vendors._discovery import DiscoverySettings, Remembered
from exporter.vendors._http import Request, naming, together
from exporter.vendors._text import fit_to_show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.keys import Secret
    from exporter.vendors import Fetch, Send
    from exporter.vendors._xml import Element

GroupId: TypeAlias = Annotated[int, Field(ge=1, le=2**53)]


def _one_message(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        raise wrong("must be own, all, or a list of group ids") from None


Groups: TypeAlias = Annotated[
    Literal["own", "all"] | Annotated[tuple[GroupId, ...], Field(min_length=1)],
    WrapValidator(_one_message),
]


class Settings(Target):
    """A target at Xtracta."""

    vendor: Literal["xtracta"]

    groups: Groups = "own"
    """own (the key's group), all (the tree below it too), or a list of ids: a request each."""

    discovery: DiscoverySettings = Field(default_factory=DiscoverySettings)
    """How `all` is found, and the names of groups."""

    @property
    def address(self) -> str:
        """Where the API answers, without a trailing slash."""
        return self.base_url or "https://api-app.xtracta.com"


_AS_OF: Final = "as of the last successful poll."


def _gauge(name: str, words: str, *labels: str) -> Metric:
    return Metric(f"xtracta_{name}", "gauge", f"{words}, {_AS_OF}", ("target", "group_id", *labels))


_FIGURES: Final = ("allowed", "used", "available")
PLAN: Final = {
    figure: _gauge(
        f"documents_{figure}",
        f"Documents {figure} by the plan (plan/{figure}_documents)",
        "plan_id",
    )
    for figure in _FIGURES
}
PACK: Final = {
    figure: _gauge(
        f"pack_documents_{figure}",
        f"Documents {figure} by a booster pack (pack/{figure}_documents)",
        "pack_id",
    )
    for figure in _FIGURES
}
PRICE: Final = _gauge("plan_price", "Price of the plan (plan/price)", "plan_id", "currency")
START: Final = _gauge(
    "plan_start_timestamp_seconds", "When the plan began (plan/start_date)", "plan_id"
)
EXPIRY: Final = _gauge(
    "plan_expiry_timestamp_seconds", "When the plan ends (plan/expiry_date)", "plan_id"
)
PLAN_INFO: Final = Metric(
    "xtracta_plan_info",
    "info",
    f"The name of the plan (plan/plan_name), {_AS_OF}",
    ("target", "group_id", "plan_id", "plan_name"),
)
GROUP_INFO: Final = Metric(
    "xtracta_group_info",
    "info",
    f"The name of the group and the group above it (group/list: Name, ParentId), {_AS_OF}",
    ("target", "group_id", "group_name", "parent_id"),
)
METRICS: Final = (*PLAN.values(), *PACK.values(), PRICE, START, EXPIRY, PLAN_INFO, GROUP_INFO)


class Plan(NamedTuple):
    """A plan or a pack, as reported; what the vendor leaves out is None or empty."""

    kind: Literal["plan", "pack"]
    group: str
    identifier: str
    name: str
    figures: dict[str, int]
    price: float | None
    currency: str
    start: float | None
    expiry: float | None


class Usage(NamedTuple):
    """What a reply about one group holds."""

    plans: tuple[Plan, ...]
    anomalies: tuple[Anomaly, ...]


class Group(NamedTuple):
    """A group's place in the tree; the topmost has no parent."""

    name: str
    parent: str


def usage_request(settings: Settings, key: Secret, group: int | None) -> Request:
    """Ask for the plans and packs of a group; None means the key's own."""
    return api_request(
        settings, key, "billings/usage", {} if group is None else {"group_id": str(group)}
    )


def groups_request(settings: Settings, key: Secret) -> Request:
    """Ask for the tree of groups below the key's own."""
    return api_request(settings, key, "group/list", {})


def api_request(settings: Settings, key: Secret, path: str, form: Mapping[str, str]) -> Request:
    """Any question to the API; the key travels in the body."""
    return Request(
        "POST",
        f"{settings.address}/v1/{path}",
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/xml"},
        urlencode({"api_key": key.reveal(), **form}).encode(),
        partial(explain, key=key),
    )


def explain(body: bytes, key: Secret) -> str:
    """The vendor's own words in an error reply: its `message`."""
    try:
        return fit_to_show(_xml.text(_xml.children(_xml.parse(body)).get("message")), key)
    except PollError:
        return ""


_OK: Final = 200
_REFUSED: Final = {401: Reason.AUTH, 403: Reason.AUTH, 429: Reason.RATE_LIMITED}


def accepted(body: bytes, root: str, key: Secret) -> Element:
    """The root element of a reply that does not report a failure inside its body."""
    element = _xml.parse(body)
    if element.tag != root:
        raise malformed(f"the reply's root element is not {root}")
    status = element.find("status")
    code = _OK if status is None else _xml.whole_number(status, "status")
    if code != _OK:
        words = explain(body, key)
        reason = _REFUSED.get(code, Reason.VENDOR_ERROR)
        raise PollError(reason, f"status {code} in the reply" + (f": {words}" if words else ""))
    return element


_REPLY_FIELDS: Final = frozenset({"status", "message", "plan", "pack"})
_PLAN_FIELDS: Final = frozenset(
    {"id", "plan_name", "pack_name", "price", "price_currency", "start_date", "expiry_date"}
    | {"group_id", *(f"{figure}_documents" for figure in _FIGURES)}
)


def parse_usage(body: bytes, key: Secret, group: int | None) -> Usage:
    """The plans and packs in a reply about `group`.

    Raises:
        PollError: auth, rate_limited or vendor_error, when the body reports a failure; malformed,
            when it is not what the reference says or not about `group`.
    """
    root = accepted(body, "billings_response", key)
    found = [child for child in root if child.tag in ("plan", "pack")]
    plans = tuple(_plan(child, key, group) for child in found)
    unknown = any(_unknown(child, _PLAN_FIELDS) for child in found) or _unknown(root, _REPLY_FIELDS)
    odd = {
        Anomaly.UNKNOWN_FIELD: unknown,
        Anomaly.AVAILABLE_MISMATCH: any(_is_off(plan.figures) for plan in plans),
        Anomaly.SCOPE_MISMATCH: len({plan.group for plan in plans}) > 1,
    }
    return Usage(plans, tuple(anomaly for anomaly, is_so in odd.items() if is_so))


def _unknown(element: Element, known: frozenset[str]) -> bool:
    return any(child.tag not in known for child in element if isinstance(child.tag, str))


def _is_off(figures: Mapping[str, int]) -> bool:
    return figures["available"] != max(0, figures["allowed"] - figures["used"])


def _plan(element: Element, key: Secret, group: int | None) -> Plan:
    fields = _xml.children(element)
    reported = fields.get("group_id")
    owner = None if reported is None else _xml.whole_number(reported, "group_id")
    if group is not None and owner not in (None, group):
        raise malformed("the reply is about another group than the one asked for")
    currency = _xml.text(fields.get("price_currency"))
    if currency and not _CURRENCY.fullmatch(currency):
        raise malformed("price_currency is not a currency's code")
    name = fields.get("plan_name", fields.get("pack_name"))
    return Plan(
        kind="plan" if element.tag == "plan" else "pack",
        group=str(group or owner or ""),
        identifier=str(_xml.whole_number(fields.get("id"), "id")),
        name=fit_to_show(_xml.text(name), key),
        figures={
            figure: _xml.whole_number(fields.get(f"{figure}_documents"), f"{figure}_documents")
            for figure in _FIGURES
        },
        price=_xml.decimal_number(fields.get("price"), "price"),
        currency=currency,
        start=moment(fields.get("start_date"), "start_date"),
        expiry=moment(fields.get("expiry_date"), "expiry_date"),
    )


_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_DATE_AND_TIME: Final = r"(20[0-9]{2}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})"
_ZONE: Final = r" ?(?:\((?:GMT|UTC)\)|Z|([+-][0-9]{2}:[0-9]{2}))"
_MOMENT: Final = re.compile(_DATE_AND_TIME + _ZONE)


def moment(element: Element | None, what: str) -> float | None:
    """Unix seconds of `2015-02-27 12:10:04 (GMT)` or `2017-08-21T02:16:49+00:00`."""
    found = _xml.text(element)
    if not found:
        return None
    try:
        if match := _MOMENT.fullmatch(found):
            day, time, offset = match.groups()
            return datetime.fromisoformat(f"{day}T{time}{offset or '+00:00'}").timestamp()
    except ValueError:
        pass
    raise malformed(f"{what} is not a date")


def parse_groups(body: bytes, key: Secret) -> dict[str, Group]:
    """Every group of the tree in a reply to `group/list`, by its id.

    Raises:
        PollError: as `parse_usage` does.
    """
    groups: dict[str, Group] = {}
    for element in accepted(body, "group_response", key).iter("group", "Group", "Subgroup"):
        if element.find("Id") is None:  # a container around the groups
            continue
        identifier = str(_xml.whole_number(element.find("Id"), "a group's Id"))
        parent = element.find("ParentId")
        groups[identifier] = Group(
            fit_to_show(_xml.text(element.find("Name")), key),
            str(_xml.whole_number(parent, "ParentId")) if _xml.text(parent) else "",
        )
    return groups


def reading(usages: Mapping[int | None, Usage], names: Mapping[str, Group], now: float) -> Reading:
    """What the replies about all groups of a target say.

    Args:
        usages: by the group asked for.
        names: by group id.
        now: Unix seconds: the pace of a plan's use is taken up to now.

    Raises:
        PollError: malformed, when there is no plan at all: good values are not given up for that.
    """
    plans = [plan for usage in usages.values() for plan in usage.plans]
    if not plans:
        raise malformed("the reply has no plan and no pack")
    samples = [sample for plan in plans for sample in _samples(plan)]
    samples += (
        Sample(GROUP_INFO, (group, names[group].name, names[group].parent), 1)
        for group in dict.fromkeys(plan.group for plan in plans)
        if group in names
    )
    return Reading(
        tuple(samples),
        tuple(_allowance(plan, _allowance_name(plan, plans), now) for plan in plans),
        tuple(anomaly for usage in usages.values() for anomaly in usage.anomalies),
    )


def _samples(plan: Plan) -> Iterator[Sample]:
    labels = (plan.group, plan.identifier)
    for figure, metric in (PLAN if plan.kind == "plan" else PACK).items():
        yield Sample(metric, labels, plan.figures[figure])
    if plan.kind == "pack":
        return
    if plan.price is not None and plan.currency:
        yield Sample(PRICE, (*labels, plan.currency), plan.price)
    if plan.start is not None:
        yield Sample(START, labels, plan.start)
    if plan.expiry is not None:
        yield Sample(EXPIRY, labels, plan.expiry)
    yield Sample(PLAN_INFO, (*labels, plan.name), 1)


def _allowance_name(plan: Plan, plans: list[Plan]) -> str:
    """The plan's or pack's id; a pack whose id is also a plan's of its group gives way."""
    taken = {(other.group, other.identifier) for other in plans if other.kind == "plan"}
    is_taken = plan.kind == "pack" and (plan.group, plan.identifier) in taken
    return f"pack-{plan.identifier}" if is_taken else plan.identifier


def _allowance(plan: Plan, name: str, now: float) -> Allowance:
    burn = _burn(plan, now)
    return Allowance(
        account=plan.group,
        name=name,
        unit="documents",
        label=plan.name,
        allowed=plan.figures["allowed"],
        used=plan.figures["used"],
        available=plan.figures["available"],
        burn_per_day=burn,
        exhaustion=burn and forecast.run_out_by_mean(burn, now, plan.figures["available"]),
        end=plan.expiry,
        only_total=True,
    )


def _burn(plan: Plan, now: float) -> float | None:
    """Mean use per day since the start; a plan's first day counts as a whole one."""
    if plan.start is None or plan.start > now:
        return None
    return plan.figures["used"] / max(1.0, (now - plan.start) / forecast.DAY)


def connect(settings: Settings) -> Fetch:
    """What polls this target: a request for each group, and now and then one for their names."""
    tree = Remembered[dict[str, Group]](settings.discovery.interval)
    is_walking = settings.groups == "all"

    async def fetch(send: Send, now: float) -> Reading:
        key = settings.key.read()

        async def ask() -> dict[str, Group]:
            return parse_groups(await send(groups_request(settings, key)), key)

        async def usage(group: int | None) -> Usage:
            return parse_usage(await send(usage_request(settings, key, group)), key, group)

        groups = _groups(settings, await tree.get(ask) if is_walking else {})
        try:
            usages = await together(
                naming(f"group {group or 'of the key'}", usage(group)) for group in groups
            )
        except PollError:
            # A group that is gone answers with an error: let the tree tell at the next poll.
            if is_walking:
                tree.expire()
            raise
        # Without `all` the tree only gives names, and a poll can do without names.
        names = await tree.get(ask, {})
        return reading(dict(zip(groups, usages, strict=True)), names, now)

    return fetch


def _groups(settings: Settings, tree: Mapping[str, Group]) -> tuple[int | None, ...]:
    """The groups to ask for; None means the key's own."""
    if settings.groups == "own":
        return (None,)
    if settings.groups == "all":
        names = {identifier: group.name for identifier, group in tree.items()}
        return tuple(map(int, settings.discovery.chosen(names, "groups", settings.name)))
    return tuple(settings.groups)
