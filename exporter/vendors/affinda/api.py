"""What is asked of Affinda, and what its replies say: pure functions from and to bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from exporter.client.client import MAX_LIST_BYTES, Request
from exporter.model import Anomaly, PollError, malformed_response
from exporter.vendors.affinda.metrics import AXES, Axis
from exporter.vendors.affinda.settings import IDENTIFIER
from exporter.vendors.common import json_parser
from exporter.vendors.common.text import sanitize

if TYPE_CHECKING:
    from exporter.secrets import Secret
    from exporter.vendors.affinda.settings import Settings

_DAY: Final = timedelta(days=1)
_LONGEST_WINDOW: Final = timedelta(days=366 * 100)  # no allowance began before 2000
_IDENTIFIER: Final = re.compile(IDENTIFIER)


class Scope(NamedTuple):
    """What usage is asked for: the reply's `scope` and `scopeIdentifier`."""

    axis: Axis
    identifier: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The daily figures of one scope.

    Args:
        start: the first day of the window that came back.
        counts: credits of each day from `start` on; days the vendor left out are 0.
        anomalies: what was odd about the reply.
    """

    start: date
    counts: tuple[int, ...]
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def today(self) -> date:
        """The vendor's current day: the window's last."""
        return self.start + (len(self.counts) - 1) * _DAY

    def days(self, first: date, last: date) -> tuple[int, ...] | None:
        """The figures from `first` to `last`; None where the window does not hold them all."""
        begin, end = (first - self.start).days, (last - self.start).days + 1
        return self.counts[begin:end] if 0 <= begin < end <= len(self.counts) else None


def usage_request(
    settings: Settings,
    key: Secret,
    scope: Scope,
    start: date | None = None,
    end: date | None = None,
) -> Request:
    """Ask for the daily figures of `scope`; without dates, of 365 days up to the vendor's today."""
    query = {"organization": settings.organization}
    if scope.axis != "organization":
        query[AXES[scope.axis].label] = scope.identifier
    query |= {name: day.isoformat() for name, day in (("start", start), ("end", end)) if day}
    return _get(settings, key, "usage", query)


def list_request(
    settings: Settings, key: Secret, axis: Axis, max_seconds: float | None = None
) -> Request:
    """Ask for the list that names the scopes of an axis."""
    query = {} if axis == "organization" else {"organization": settings.organization}
    request = _get(settings, key, AXES[axis].listed, query)
    return replace(request, max_bytes=MAX_LIST_BYTES, timeout=max_seconds)


def _get(settings: Settings, key: Secret, path: str, query: dict[str, str]) -> Request:
    return Request(
        "GET",
        f"{settings.address}/v3/{path}" + (f"?{urlencode(query)}" if query else ""),
        {"Authorization": f"Bearer {key.reveal()}", "Accept": "application/json"},
        partial(error_message, key=key),
    )


def error_message(body: bytes, key: Secret) -> str | None:
    """The vendor's message in a document `{type, errors: [{attr, code, detail}]}`; may be empty.

    None where the body is no such document.
    """
    try:
        document = json_parser.require_object(json_parser.parse(body), "the reply")
        errors = json_parser.require_list(document.get("errors"), "errors")
        details = [json_parser.require_object(error, "an error").get("detail") for error in errors]
    except PollError:
        return None
    return sanitize(next((text for text in details if isinstance(text, str)), ""), key)


_USAGE_FIELDS: Final = frozenset({"scope", "scopeIdentifier", "start", "end", "total", "items"})
_ITEM_FIELDS: Final = 2  # date and count


def parse_usage(
    body: bytes, scope: Scope, start: date | None = None, end: date | None = None
) -> Usage:
    """The daily figures in a reply about `scope`, for the window that was asked for.

    The window that came back counts, also where it is another one; that is an anomaly.

    Raises:
        PollError: malformed, when the reply is not what the reference says or not about `scope`.
    """
    reply = json_parser.require_object(json_parser.parse(body), "the reply")
    if (reply.get("scope"), reply.get("scopeIdentifier")) != scope:
        raise malformed_response("the reply is about another scope than the one asked for")
    first, last = _window(reply)
    items = json_parser.require_list(reply.get("items"), "items")
    total = json_parser.require_int(reply.get("total"), "total")
    counts, days, strays, unknown = _added_up(items, first, last)
    odd = {
        Anomaly.UNKNOWN_FIELD: unknown > 0 or bool(reply.keys() - _USAGE_FIELDS),
        Anomaly.TOTAL_MISMATCH: total != sum(counts),
        Anomaly.WINDOW_MISMATCH: first > (start or last - 364 * _DAY)
        or last != (end or last)
        or strays > 0,
        Anomaly.DUPLICATE_DAY: days < len(items),
    }
    return Usage(first, tuple(counts), tuple(anomaly for anomaly, is_so in odd.items() if is_so))


def _window(reply: dict[str, object]) -> tuple[date, date]:
    first, last = (
        json_parser.require_date(reply.get("start"), "start"),
        json_parser.require_date(reply.get("end"), "end"),
    )
    if not first <= last <= first + _LONGEST_WINDOW:
        raise malformed_response(
            "the reply's window ends before it starts, or is longer than a century"
        )
    return first, last


class _Sums(NamedTuple):
    """What the items of a reply come to.

    Args:
        counts: credits of each day of the window.
        days: how many days there are items for.
        strays, unknown: how many items are for a day outside of it, hold more than they should.
    """

    counts: list[int]
    days: int
    strays: int
    unknown: int


def _added_up(items: list[object], first: date, last: date) -> _Sums:
    counts = [0] * ((last - first).days + 1)
    begin = first.toordinal()
    days = set()
    strays = unknown = 0
    for value in items:
        item = json_parser.require_object(value, "an item")
        day = json_parser.require_date(item.get("date"), "an item's date").toordinal()
        count = json_parser.require_int(item.get("count"), "an item's count")
        days.add(day)
        unknown += len(item) > _ITEM_FIELDS
        if 0 <= day - begin < len(counts):
            counts[day - begin] += count
        else:
            strays += 1
    return _Sums(counts, len(days), strays, unknown)


def parse_names(body: bytes, key: Secret) -> dict[str, str]:
    """Identifier to name, from a list of organizations, workspaces or document types.

    Raises:
        PollError: malformed.
    """
    names = {}
    for value in json_parser.require_list(json_parser.parse(body), "the list"):
        snapshot = json_parser.require_object(value, "an entry")
        identifier = json_parser.require_str(snapshot.get("identifier"), "an identifier")
        if not _IDENTIFIER.fullmatch(key.redact(identifier)):
            raise malformed_response("an identifier in the list cannot be one")
        names[identifier] = sanitize(json_parser.require_str(snapshot.get("name"), "a name"), key)
    return names
