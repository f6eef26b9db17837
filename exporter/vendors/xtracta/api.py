"""Xtracta's API: requests, and responses parsed from bytes; pure functions."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlencode

from exporter.client.client import MAX_LIST_BYTES, Request
from exporter.days import DAY, midnight_seconds
from exporter.model import Anomaly, FailureReason, PollError, malformed_response
from exporter.vendors.common import xml_parser
from exporter.vendors.common.text import sanitize
from exporter.vendors.xtracta.metrics import DOCUMENTS, FIGURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from exporter.secrets import Secret
    from exporter.vendors.common.xml_parser import Element
    from exporter.vendors.xtracta.settings import Settings


class Figures(NamedTuple):
    """How much of a resource is allowed, used and available; None where that is unknown.

    `allowed` and `available` are None where the resource is unlimited, too.
    """

    allowed: int | None
    used: int | None
    available: int | None

    @property
    def remaining(self) -> int | None:
        """What is left: as reported, else what is allowed less what is used."""
        if self.available is None and self.allowed is not None and self.used is not None:
            return max(0, self.allowed - self.used)
        return self.available


class Plan(NamedTuple):
    """A plan or a pack, as reported; what the vendor leaves out is None or empty.

    `resources` has figures by the resource's name, such as `documents`.
    """

    kind: Literal["plan", "pack"]
    group: str
    identifier: str
    name: str
    resources: Mapping[str, Figures]
    price: Decimal | None
    currency: str
    start: float | None
    expiry: float | None


class Usage(NamedTuple):
    """What a response about one group holds.

    Args:
        plans: plans and packs.
        anomalies: how the response differs from the reference.
        unreadable: the fields that cannot be read.
    """

    plans: tuple[Plan, ...]
    anomalies: tuple[Anomaly, ...] = ()
    unreadable: tuple[str, ...] = ()


class Group(NamedTuple):
    """A group's place in the tree; the topmost has no parent."""

    name: str
    parent: str


def usage_request(
    settings: Settings, key: Secret, group: int | None, max_seconds: float | None = None
) -> Request:
    """Request the plans and packs of a group; None means the key's own."""
    form = {} if group is None else {"group_id": str(group)}
    return api_request(settings, key, "billings/usage", form, max_seconds)


def groups_request(settings: Settings, key: Secret, max_seconds: float | None = None) -> Request:
    """Request the tree of groups below the key's own."""
    request = api_request(settings, key, "group/list", {}, max_seconds)
    return replace(request, max_bytes=MAX_LIST_BYTES)


def api_request(
    settings: Settings,
    key: Secret,
    path: str,
    form: Mapping[str, str],
    max_seconds: float | None = None,
) -> Request:
    """Any request to the API; the key travels in the body."""
    return Request(
        "POST",
        f"{settings.address}/v1/{path}",
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/xml"},
        partial(error_message, key=key),
        urlencode({"api_key": key.reveal(), **form}).encode(),
        timeout=max_seconds,
    )


_ROOTS: Final = frozenset({"billings_response", "group_response"})


def error_message(body: bytes, key: Secret) -> str | None:
    """The vendor's `message` in an error response; may be empty.

    None where the body is no response of the vendor's.
    """
    try:
        root = xml_parser.parse(body)
    except PollError:
        return None
    return _message(root, key) if root.tag in _ROOTS else None


def _message(root: Element, key: Secret) -> str:
    return sanitize(xml_parser.child_text(root, "message") or "", key)


_OK: Final = 200
_REFUSED: Final = {
    401: FailureReason.AUTH,
    403: FailureReason.AUTH,
    429: FailureReason.RATE_LIMITED,
}


def check_envelope(body: bytes, root: str, key: Secret) -> Element:
    """The root element of a response that does not report a failure inside its body.

    Raises:
        PollError: auth, rate_limited or vendor_error, when the body reports a failure; malformed,
            when it is not XML or has another root element.
    """
    element = xml_parser.parse(body)
    if element.tag != root:
        raise malformed_response(f"the response's root element is not {root}")
    code = xml_parser.read_int(xml_parser.child_text(element, "status"))
    if code is not None and code != _OK:
        message = _message(element, key)
        reason = _REFUSED.get(code, FailureReason.VENDOR_ERROR)
        raise PollError(
            reason, f"status {code} in the response" + (f": {message}" if message else "")
        )
    return element


_RESPONSE_FIELDS: Final = frozenset({"status", "message", "plan", "pack", "pack_summary"})
_PLAN_FIELDS: Final = frozenset(
    {"id", "plan_name", "pack_name", "price", "price_currency", "start_date", "expiry_date"}
    | {"group_id", "quantity", "plan_type", "wholesale_price", "pack_summary"}
)
_FIGURE: Final = re.compile(r"(allowed|used|available)_([a-z][a-z0-9_]{0,31})")
_MIN_FIGURES: Final = 2  # of a resource, so that `allowed_hosts` is not taken for one
_MAX_RESOURCES: Final = 16
_UNLIMITED: Final = frozenset({"", "-1", "unlimited", "none", "n/a"})
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def parse_usage(body: bytes, key: Secret, group: int | None) -> Usage:
    """The plans and packs in a response about `group`.

    What cannot be read costs the figures that it makes unknown. A plan or pack that is there
    several times is merged: packs add up, of plans the latest period counts.

    Raises:
        PollError: as `check_envelope` does; malformed, when the response is not about `group`.
    """
    root = check_envelope(body, "billings_response", key)
    readers = [
        PlanReader(child, "plan" if child.tag == "plan" else "pack", key)
        for child in root
        if child.tag in ("plan", "pack") and any(map(str.strip, child.itertext()))
    ]
    found = [reader.plan(group) for reader in readers]
    plans = _merge_duplicates(found)
    unreadable = [field for reader in readers for field in reader.unreadable]
    statuses = [xml_parser.read_int(xml_parser.read_text(each)) for each in root.findall("status")]
    if len(statuses) > 1 or None in statuses:
        unreadable.append("status")
    is_found = {
        Anomaly.UNKNOWN_FIELD: any(reader.has_unknown() for reader in readers)
        or any(child.tag not in _RESPONSE_FIELDS for child in root),
        Anomaly.AVAILABLE_MISMATCH: any(map(_has_mismatch, found)),
        Anomaly.SCOPE_MISMATCH: len({plan.group for plan in plans}) > 1,
        Anomaly.DUPLICATE_PLAN: len(plans) < len(found),
    }
    anomalies = [anomaly for anomaly, is_so in is_found.items() if is_so]
    anomalies += [Anomaly.UNREADABLE_FIELD] * len(unreadable)
    return Usage(plans, tuple(anomalies), tuple(unreadable))


def _has_mismatch(plan: Plan) -> bool:
    return any(
        allowed is not None and used is not None and available not in (None, max(0, allowed - used))
        for allowed, used, available in plan.resources.values()
    )


class PlanReader:
    """Reads the fields of one plan or pack, and notes which of them cannot be read.

    Args:
        element: the plan or pack.
        kind: what it is.
        key: the API key, which no name may show.
    """

    def __init__(self, element: Element, kind: Literal["plan", "pack"], key: Secret) -> None:
        self._kind = kind
        self.unreadable: list[str] = []
        self._key = key
        self._texts: dict[str, str | None] = {}
        for child in element:
            text, name = xml_parser.read_text(child), str(child.tag)
            # A field that is there twice is known only if both say the same.
            self._texts[name] = text if self._texts.get(name, text) == text else None
        identifier = xml_parser.read_int(self._texts.get("id"))
        self._title = f"a {kind}" if identifier is None else f"{kind} {identifier}"
        matches = [match for name in self._texts if (match := _FIGURE.fullmatch(name))]
        counts = Counter(match[2] for match in matches if key.redact(match[2]) == match[2])
        names = (name for name in counts if name == DOCUMENTS or counts[name] >= _MIN_FIGURES)
        self._resources = list(names)[:_MAX_RESOURCES]

    def plan(self, group: int | None) -> Plan:
        """The plan or pack.

        Raises:
            PollError: malformed, when it belongs to another group than `group`.
        """
        owner = self._number("group_id", frozenset({""}))
        if group is not None and owner not in (None, group):
            raise malformed_response("the response is about another group than the one requested")
        identifier = self._number("id")
        return Plan(
            kind=self._kind,
            group=str(group or owner or ""),
            identifier="" if identifier is None else str(identifier),
            name=self._text("plan_name") or self._text("pack_name") or self._text("plan"),
            resources={name: self._figures(name) for name in self._resources},
            price=self._price(),
            currency=self._currency(),
            start=self._timestamp("start_date"),
            expiry=self._timestamp("expiry_date", is_end=True),
        )

    def has_unknown(self) -> bool:
        """Whether it has fields that are not in the reference."""
        known = {f"{figure}_{name}" for name in self._resources for figure in FIGURES}
        return bool(self._texts.keys() - _PLAN_FIELDS - known)

    def _text(self, name: str) -> str:
        """The text of a field, safe to show; empty where it is missing."""
        found = self._texts.get(name, "")
        if found is None:
            self._report(name)
        return sanitize(found or "", self._key)

    def _number(self, name: str, missing: frozenset[str] = frozenset()) -> int | None:
        """A whole number that is not negative; None for the texts that mean there is none."""
        found = self._texts.get(name, "")
        if found is not None and found.lower() in missing:
            return None
        number = xml_parser.read_int(found)
        if number is None or number < 0:
            self._report(name)
            return None
        return number

    def _price(self) -> Decimal | None:
        """The price; None where it is missing."""
        found = self._texts.get("price", "")
        price = xml_parser.read_decimal(found)
        if price is None and found != "":
            self._report("price")
        return price

    def _currency(self) -> str:
        """The currency's code; empty where it is missing."""
        found = self._text("price_currency").upper()
        if found and not _CURRENCY.fullmatch(found):
            self._report("price_currency")
            return ""
        return found

    def _timestamp(self, name: str, *, is_end: bool = False) -> float | None:
        """Unix seconds, as `parse_timestamp`."""
        try:
            return parse_timestamp(self._text(name), is_end=is_end)
        except ValueError:
            self._report(name)
            return None

    def _report(self, name: str) -> None:
        self.unreadable.append(f"{name} of {self._title}")

    def _figures(self, resource: str) -> Figures:
        allowed = self._number(f"allowed_{resource}", _UNLIMITED)
        used = self._number(f"used_{resource}")
        name = f"available_{resource}"
        if allowed is not None and (xml_parser.read_int(self._texts.get(name)) or 0) < 0:
            return Figures(allowed, used, 0)  # more was used than allowed
        return Figures(allowed, used, self._number(name, _UNLIMITED))


def _merge_duplicates(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    """Each plan and pack once: figures of packs add up, of plans the latest period counts."""
    found: dict[tuple[str, str, str], Plan] = {}
    for plan in plans:
        key = plan.kind, plan.group, plan.identifier
        found[key] = _merge(found[key], plan) if key in found else plan
    return tuple(found.values())


def _merge(first: Plan, second: Plan) -> Plan:
    if first.kind == "plan":
        return max(first, second, key=lambda plan: plan.start or 0.0)
    shared = {
        name: Figures(*map(_sum, figures, second.resources[name]))
        for name, figures in first.resources.items()
        if name in second.resources
    }
    return first._replace(
        resources={**first.resources, **second.resources, **shared},
        price=first.price if first.price == second.price else None,
        start=min(filter(None, (first.start, second.start)), default=None),
        expiry=max(filter(None, (first.expiry, second.expiry)), default=None),
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


_NO_DATE: Final = re.compile(
    r"|never|none|null|n/a|-|unlimited|(0000-00-00|9999-12-31)([T ].{0,32})?", re.IGNORECASE
)
_DATE: Final = r"((?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2})"
_TIME: Final = r"([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.[0-9]{1,9})?"
_ZONE: Final = r" ?\(?(?:Z|GMT|UTC|(?:GMT|UTC)?([+-][0-9]{2})(?::?([0-9]{2}))?)\)?"
_TIMESTAMP: Final = re.compile(f"{_DATE}(?:[T ]{_TIME}{_ZONE})?")


def parse_timestamp(text: str, *, is_end: bool = False) -> float | None:
    """Unix seconds of `2015-02-27 12:10:04 (GMT)`, `2017-08-21T02:16:49+00:00` and similar forms.

    None where the text says that there is no date: empty, `0000-00-00`, `Never`.

    Args:
        text: the date.
        is_end: whether a date without a time means the end of that day (UTC), not its beginning.

    Raises:
        ValueError: it is anything else, or in a zone that is not understood.
    """
    if _NO_DATE.fullmatch(text):
        return None
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("unknown form of a date")
    day, time, hours, minutes = match.groups()
    if time is None:
        return midnight_seconds(date.fromisoformat(day) + is_end * DAY)
    zone = f"{hours}:{minutes or '00'}" if hours else "+00:00"
    return datetime.fromisoformat(f"{day}T{time}{zone}").timestamp()


def parse_groups(body: bytes, key: Secret) -> tuple[dict[str, Group], int]:
    """The groups in a response to `group/list`, by id, and how many have an id that is unreadable.

    Raises:
        PollError: as `check_envelope` does.
    """
    groups: dict[str, Group] = {}
    skipped = 0
    for element in check_envelope(body, "group_response", key).iter("group", "Group", "Subgroup"):
        if element.find("Id") is None:  # a container around the groups
            continue
        identifier, parent = _child_number(element, "Id"), _child_number(element, "ParentId")
        if identifier:
            name = sanitize(xml_parser.child_text(element, "Name") or "", key)
            groups[identifier] = Group(name, parent)
        else:
            skipped += 1
    return groups, skipped


def _child_number(element: Element, name: str) -> str:
    """A whole number that is not negative; else empty."""
    number = xml_parser.read_int(xml_parser.child_text(element, name))
    return "" if number is None or number < 0 else str(number)
