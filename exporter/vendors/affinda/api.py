"""Affinda's API: requests, and responses parsed from bytes; pure functions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from exporter.client.client import MAX_LIST_BYTES, Request
from exporter.days import DAY
from exporter.model import Anomaly, PollError, malformed_response
from exporter.vendors.affinda.metrics import AXES, Axis
from exporter.vendors.affinda.settings import IDENTIFIER
from exporter.vendors.common import json_parser
from exporter.vendors.common.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.secrets import Secret
    from exporter.vendors.affinda.settings import Settings

_LONGEST_WINDOW: Final = timedelta(days=366 * 100)  # no allowance began before 2000
_IDENTIFIER: Final = re.compile(IDENTIFIER)


class Scope(NamedTuple):
    """Whose usage is requested: the response's `scope` and `scopeIdentifier`."""

    axis: Axis
    identifier: str


class Usage(NamedTuple):
    """The daily figures of one scope.

    Args:
        start: the first day of the window that came back.
        counts: credits of each day from `start` on; days the vendor left out are 0, those whose
            figure cannot be read None.
        anomalies: how the response differs from the reference.
        unreadable: the fields that cannot be read.
    """

    start: date
    counts: tuple[int | None, ...]
    anomalies: tuple[Anomaly, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def today(self) -> date:
        """The vendor's current day: the window's last."""
        return self.start + (len(self.counts) - 1) * DAY

    def days(self, first: date, last: date) -> tuple[int, ...] | None:
        """The figures from `first` to `last`; None where one of them is unknown."""
        begin, end = (first - self.start).days, (last - self.start).days + 1
        if not 0 <= begin < end <= len(self.counts):
            return None
        found = self.counts[begin:end]
        known = tuple(count for count in found if count is not None)
        return known if len(known) == len(found) else None


def usage_request(
    settings: Settings,
    key: Secret,
    scope: Scope,
    start: date | None = None,
    end: date | None = None,
) -> Request:
    """Request the daily figures of `scope`; without dates, of 365 days up to the vendor's today."""
    query = {"organization": settings.organization}
    if scope.axis != "organization":
        query[AXES[scope.axis].label] = scope.identifier
    query |= {name: day.isoformat() for name, day in (("start", start), ("end", end)) if day}
    return _get(settings, key, "usage", query)


def list_request(
    settings: Settings, key: Secret, axis: Axis, max_seconds: float | None = None
) -> Request:
    """Request the list that names the scopes of an axis."""
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
        document = json_parser.require_object(json_parser.parse(body), "the response")
        errors = json_parser.require_list(document.get("errors"), "errors")
        details = [json_parser.require_object(error, "an error").get("detail") for error in errors]
    except PollError:
        return None
    return sanitize(next((text for text in details if isinstance(text, str)), ""), key)


_USAGE_FIELDS: Final = frozenset({"scope", "scopeIdentifier", "start", "end", "total", "items"})
_ITEM_FIELDS: Final = 2  # date and count
_MAX_UNDATED: Final = 4  # items without a date whose day is narrowed down


def parse_usage(
    body: bytes, scope: Scope, start: date | None = None, end: date | None = None
) -> Usage:
    """The daily figures in a response about `scope`, for the window that was requested.

    The window that came back counts, also where it is another one; that is an anomaly. What
    cannot be read costs the days that it makes unknown.

    Args:
        body: the response.
        scope: what was requested.
        start: the first requested day, if any.
        end: the last one, if any.

    Raises:
        PollError: malformed, when the response is not about `scope`, has no items, or does not say
            which day is the current one.
    """
    response = json_parser.require_object(json_parser.parse(body), "the response")
    unreadable = [] if _is_about(response, scope) else ["scope"]
    items = [_item(value) for value in json_parser.require_list(response.get("items"), "items")]
    days = [item.day for item in items if item.day]
    last = json_parser.read_date(response.get("end"))
    if last is None:
        unreadable.append("end")
        last = end
    if last is None:
        raise malformed_response("end is not a date")
    first = json_parser.read_date(response.get("start"))
    if first is None:
        unreadable.append("start")
        # What lies before the first item is unknown.
        first = min((day for day in days if day <= last), default=last)
    if not first <= last <= first + _LONGEST_WINDOW:
        raise malformed_response(
            "the response's window ends before it starts, or is longer than a century"
        )
    counts, unreadable_items = _add_up(items, first, last)
    unreadable += unreadable_items
    total = json_parser.read_int(response.get("total"))
    if total is None:
        unreadable.append("total")
    known = [count for count in counts if count is not None]
    found = {
        Anomaly.UNKNOWN_FIELD: bool(response.keys() - _USAGE_FIELDS)
        or any(item.has_more for item in items),
        Anomaly.TOTAL_MISMATCH: not unreadable and total != sum(known),
        Anomaly.WINDOW_MISMATCH: first > (start or last - 364 * DAY)
        or last != (end or last)
        or any(not first <= day <= last for day in days),
        Anomaly.DUPLICATE_DAY: len(set(days)) < len(days),
    }
    anomalies = [anomaly for anomaly, is_found in found.items() if is_found]
    anomalies += [Anomaly.UNREADABLE_FIELD] * len(unreadable)
    return Usage(first, tuple(counts), tuple(anomalies), tuple(unreadable))


def _is_about(response: dict[str, object], scope: Scope) -> bool:
    """Whether both fields name the scope; `scope` alone may be unreadable.

    Raises:
        PollError: malformed, when the response is about another scope.
    """
    axis = response.get("scope")
    if response.get("scopeIdentifier") != scope.identifier or (
        axis != scope.axis and axis in _AXES
    ):
        raise malformed_response("the response is about another scope than the one requested")
    return axis == scope.axis


_AXES: Final = tuple(AXES)


class _Item(NamedTuple):
    """An item of a response; what cannot be read is None."""

    day: date | None
    credits: int | None
    has_more: bool


def _item(value: object) -> _Item:
    item = value if type(value) is dict else {}
    day, count = json_parser.read_date(item.get("date")), json_parser.read_int(item.get("count"))
    return _Item(day, count, len(item) > _ITEM_FIELDS)


def _add_up(items: Sequence[_Item], first: date, last: date) -> tuple[list[int | None], list[str]]:
    """Credits of each day of the window, None where unknown; and the fields that are unreadable."""
    counts: list[int | None] = [0] * ((last - first).days + 1)
    begin = first.toordinal()
    unreadable, undated = [], []
    for position, (day, count, _) in enumerate(items):
        if day is None:
            undated.append(position)
        elif first <= day <= last:
            at = day.toordinal() - begin
            before = counts[at]
            if count is None:
                unreadable.append(f"count of {day}")
            counts[at] = None if count is None or before is None else before + count
    unreadable += (f"date of item {position + 1}" for position in undated)
    if len(undated) > _MAX_UNDATED:
        counts = [None] * len(counts)
    for position in undated[:_MAX_UNDATED]:
        for at in _possible_days(items, position, begin, len(counts)):
            counts[at] = None
    return counts, unreadable


def _possible_days(items: Sequence[_Item], position: int, begin: int, length: int) -> Iterable[int]:
    """The days of the window that an item without a date may be about.

    Where the items are in order of time, those between its neighbours; else all.
    """
    before = [item.day.toordinal() - begin for item in items[:position] if item.day]
    after = [item.day.toordinal() - begin for item in items[position + 1 :] if item.day]
    known = [*before, *after]
    between = range(max(0, before[-1] + 1 if before else 0), min(length, *after[:1], length))
    return between if known == sorted(known) and between else range(length)


def parse_names(body: bytes, key: Secret) -> tuple[dict[str, str], int]:
    """The names in a list of organizations, workspaces or document types, by identifier.

    A name that cannot be read is empty. Also a list in pages is read, as far as its first page
    goes.

    Returns:
        The names, and how many entries have no usable identifier.

    Raises:
        PollError: malformed, when the response is no list.
    """
    document = json_parser.parse(body)
    is_more = False
    if type(document) is dict and "results" in document:
        is_more = bool(document.get("next"))
        document = document["results"]
    entries = json_parser.require_list(document, "the list")
    names: dict[str, str] = {}
    for value in entries:
        entry = value if type(value) is dict else {}
        identifier, name = entry.get("identifier"), entry.get("name")
        if type(identifier) is str and _IDENTIFIER.fullmatch(key.redact(identifier)):
            names[identifier] = sanitize(name, key) if type(name) is str else ""
    return names, len(entries) - len(names) + is_more
