"""What is asked of Xtracta, and what its replies say: pure functions from and to bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlencode

from exporter.client.client import MAX_LIST_BYTES, Request
from exporter.model import Anomaly, FailureReason, PollError, malformed_response
from exporter.vendors.common import xml_parser
from exporter.vendors.common.text import sanitize
from exporter.vendors.xtracta.metrics import FIGURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.secrets import Secret
    from exporter.vendors.common.xml_parser import Element
    from exporter.vendors.xtracta.settings import Settings


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
    form = {} if group is None else {"group_id": str(group)}
    return api_request(settings, key, "billings/usage", form)


def groups_request(settings: Settings, key: Secret, max_seconds: float | None = None) -> Request:
    """Ask for the tree of groups below the key's own."""
    request = api_request(settings, key, "group/list", {})
    return replace(request, max_bytes=MAX_LIST_BYTES, timeout=max_seconds)


def api_request(settings: Settings, key: Secret, path: str, form: Mapping[str, str]) -> Request:
    """Any question to the API; the key travels in the body."""
    return Request(
        "POST",
        f"{settings.address}/v1/{path}",
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/xml"},
        partial(error_message, key=key),
        urlencode({"api_key": key.reveal(), **form}).encode(),
    )


_ROOTS: Final = frozenset({"billings_response", "group_response"})


def error_message(body: bytes, key: Secret) -> str | None:
    """The vendor's `message` in an error reply; may be empty.

    None where the body is no reply of the vendor's.
    """
    try:
        root = xml_parser.parse(body)
        if root.tag not in _ROOTS:
            return None
        return sanitize(xml_parser.text(xml_parser.find_one(root, "message")), key)
    except PollError:
        return None


_OK: Final = 200
_REFUSED: Final = {
    401: FailureReason.AUTH,
    403: FailureReason.AUTH,
    429: FailureReason.RATE_LIMITED,
}


def check_envelope(body: bytes, root: str, key: Secret) -> Element:
    """The root element of a reply that does not report a failure inside its body.

    Raises:
        PollError: auth, rate_limited or vendor_error, when the body reports a failure; malformed,
            when it is not XML or has another root element.
    """
    element = xml_parser.parse(body)
    if element.tag != root:
        raise malformed_response(f"the reply's root element is not {root}")
    status = xml_parser.find_one(element, "status")
    code = _OK if status is None else xml_parser.whole_number(status, "status")
    if code != _OK:
        words = error_message(body, key)
        reason = _REFUSED.get(code, FailureReason.VENDOR_ERROR)
        raise PollError(reason, f"status {code} in the reply" + (f": {words}" if words else ""))
    return element


_REPLY_FIELDS: Final = frozenset({"status", "message", "plan", "pack"})
_PLAN_FIELDS: Final = frozenset(
    {"id", "plan_name", "pack_name", "price", "price_currency", "start_date", "expiry_date"}
    | {"group_id", *(f"{figure}_documents" for figure in FIGURES)}
)


def parse_usage(body: bytes, key: Secret, group: int | None) -> Usage:
    """The plans and packs in a reply about `group`.

    Raises:
        PollError: as `check_envelope` does; malformed, when the reply is not what the reference
            says or not about `group`.
    """
    root = check_envelope(body, "billings_response", key)
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
    fields = xml_parser.children(element)
    reported = fields.get("group_id")
    owner = None if reported is None else xml_parser.whole_number(reported, "group_id")
    if group is not None and owner not in (None, group):
        raise malformed_response("the reply is about another group than the one asked for")
    currency = xml_parser.text(fields.get("price_currency"))
    if currency and not _CURRENCY.fullmatch(currency):
        raise malformed_response("price_currency is not a currency's code")
    name = fields.get("plan_name", fields.get("pack_name"))
    return Plan(
        kind="plan" if element.tag == "plan" else "pack",
        group=str(group or owner or ""),
        identifier=str(xml_parser.whole_number(fields.get("id"), "id")),
        name=sanitize(xml_parser.text(name), key),
        figures={
            figure: xml_parser.whole_number(
                fields.get(f"{figure}_documents"), f"{figure}_documents"
            )
            for figure in FIGURES
        },
        price=xml_parser.decimal_number(fields.get("price"), "price"),
        currency=currency,
        start=parse_timestamp(fields.get("start_date"), "start_date"),
        expiry=parse_timestamp(fields.get("expiry_date"), "expiry_date"),
    )


_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_DATE_AND_TIME: Final = r"(20[0-9]{2}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})"
_ZONE: Final = r" ?(?:\((?:GMT|UTC)\)|Z|([+-][0-9]{2}:[0-9]{2}))"
_MOMENT: Final = re.compile(_DATE_AND_TIME + _ZONE)


def parse_timestamp(element: Element | None, what: str) -> float | None:
    """Unix seconds of `2015-02-27 12:10:04 (GMT)` or `2017-08-21T02:16:49+00:00`.

    None where the element is missing or empty.

    Raises:
        PollError: malformed, when there is anything else in it.
    """
    found = xml_parser.text(element)
    if not found:
        return None
    try:
        if match := _MOMENT.fullmatch(found):
            day, time, offset = match.groups()
            return datetime.fromisoformat(f"{day}T{time}{offset or '+00:00'}").timestamp()
    except ValueError:
        pass
    raise malformed_response(f"{what} is not a date")


def parse_groups(body: bytes, key: Secret) -> dict[str, Group]:
    """Every group of the tree in a reply to `group/list`, by its id.

    Raises:
        PollError: as `check_envelope` does; malformed, when an id is none.
    """
    groups: dict[str, Group] = {}
    for element in check_envelope(body, "group_response", key).iter("group", "Group", "Subgroup"):
        identifier = xml_parser.find_one(element, "Id")
        if identifier is None:  # a container around the groups
            continue
        parent = xml_parser.find_one(element, "ParentId")
        groups[str(xml_parser.whole_number(identifier, "a group's Id"))] = Group(
            sanitize(xml_parser.text(xml_parser.find_one(element, "Name")), key),
            str(xml_parser.whole_number(parent, "ParentId")) if xml_parser.text(parent) else "",
        )
    return groups
