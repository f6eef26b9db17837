"""Affinda: daily credits of an organization, its workspaces and its document types.

Source: Affinda API v3, `GET /v3/usage` and the lists that name its scopes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlencode

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from exporter import forecast
from exporter.config.models import Target
from exporter.config.problems import wrong
from exporter.records import Allowance, Anomaly, Metric, PollError, Reading, Sample, malformed
from exporter.vendors import _json
from exporter.vendors._allowance import AllowanceSettings
from exporter.vendors._discovery import DiscoverySettings, Remembered
from exporter.vendors._http import Request, naming, together
from exporter.vendors._text import fit_to_show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.keys import Secret
    from exporter.vendors import Fetch, Send

_DAY: Final = timedelta(days=1)
_LONGEST_WINDOW: Final = timedelta(days=366 * 20)  # more is no reply to a question of ours
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

Identifier: TypeAlias = Annotated[str, Field(pattern=f"^{_IDENTIFIER.pattern}$")]


def _one_message(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        raise wrong("must be none, all, or a list of identifiers") from None


Scopes: TypeAlias = Annotated[
    Literal["none", "all"] | Annotated[tuple[Identifier, ...], Field(min_length=1)],
    WrapValidator(_one_message),
]


class Settings(Target):
    """A target at Affinda."""

    vendor: Literal["affinda"]

    organization: Identifier
    """The organization's identifier."""

    region: Literal["api", "api.eu1", "api.us1"] = "api"
    """Where the account lives; without effect where `base_url` is given."""

    workspaces: Scopes = "none"
    """none, all (found through the API), or a list of identifiers: a request each."""

    document_types: Scopes = "none"
    """none, all (found through the API), or a list of identifiers: a request each."""

    discovery: DiscoverySettings = Field(default_factory=DiscoverySettings)
    """How `all` is found, and the names of organization, workspaces and document types."""

    allowance: AllowanceSettings | None = None
    """What was bought: the API does not tell."""

    @property
    def address(self) -> str:
        """Where the API answers, without a trailing slash."""
        return self.base_url or f"https://{self.region}.affinda.com"


AxisName = Literal["organization", "workspace", "documentType"]


class Scope(NamedTuple):
    """What usage is asked for: the names are the reply's `scope` and `scopeIdentifier`."""

    axis: AxisName
    identifier: str


class _Axis(NamedTuple):
    """How one axis is asked for and exposed."""

    parameter: str
    label: str
    words: str


_AXES: Final[Mapping[AxisName, _Axis]] = {
    "organization": _Axis("organization", "organization", "organization"),
    "workspace": _Axis("workspace", "workspace", "workspace"),
    "documentType": _Axis("document_type", "document_type", "document type"),
}
_YEARLY: Final = frozenset({"last_365_days", "year_to_date"})  # of the organization alone


def _windows(today: date) -> dict[str, tuple[date, date]]:
    """First and last day of each window, by the metric's suffix."""
    return {
        "daily": (today, today),
        "previous_day": (today - _DAY, today - _DAY),
        "last_7_days": (today - 6 * _DAY, today),
        "last_30_days": (today - 29 * _DAY, today),
        "last_365_days": (today - 364 * _DAY, today),
        "month_to_date": (today.replace(day=1), today),
        "year_to_date": (today.replace(month=1, day=1), today),
    }


_WORDS: Final = {
    "daily": "so far on the vendor's current day",
    "previous_day": "on the vendor's last complete day",
    "last_7_days": "on the last 7 days, the current one included",
    "last_30_days": "on the last 30 days, the current one included",
    "last_365_days": "on the last 365 days, the current one included",
    "month_to_date": "in the calendar month of the vendor's current day",
    "year_to_date": "in the calendar year of the vendor's current day",
}
_AS_OF: Final = "as of the last successful poll."


def _credit_metrics(axis: AxisName) -> dict[str, Metric]:
    """The metrics of one axis, by the window's suffix."""
    _, label, words = _AXES[axis]
    own = () if axis == "organization" else (label,)
    prefix = "_".join(("affinda", *own, "credits"))
    return {
        suffix: Metric(
            f"{prefix}_{suffix}",
            "gauge",
            f"Credits of the {words} {when} (sum of items[].count), {_AS_OF}",
            ("target", "organization", *own),
        )
        for suffix, when in _WORDS.items()
        if axis == "organization" or suffix not in _YEARLY
    }


def _info_metric(axis: AxisName) -> Metric:
    _, label, words = _AXES[axis]
    own = () if axis == "organization" else (label,)
    return Metric(
        f"affinda_{label}_info",
        "info",
        f"The name of the {words} (name in the API's list), {_AS_OF}",
        ("target", "organization", *own, f"{label}_name"),
    )


_ORGANIZATION: Final = ("target", "organization")
CREDITS: Final = {axis: _credit_metrics(axis) for axis in _AXES}
INFO: Final = {axis: _info_metric(axis) for axis in _AXES}
USAGE_DAY: Final = Metric(
    "affinda_usage_day_timestamp_seconds",
    "gauge",
    f"Midnight UTC of the vendor's current day (end), to which daily refers, {_AS_OF}",
    _ORGANIZATION,
)
ALLOWED: Final = Metric(
    "affinda_credits_allowed",
    "gauge",
    "Credits bought for the current period, as configured (allowance.credits).",
    _ORGANIZATION,
)
USED: Final = Metric(
    "affinda_credits_used",
    "gauge",
    f"Credits used in the current period (sum of items[].count), {_AS_OF}",
    _ORGANIZATION,
)
AVAILABLE: Final = Metric(
    "affinda_credits_available",
    "gauge",
    f"Credits left in the current period, never below 0, {_AS_OF}",
    _ORGANIZATION,
)
PRICE: Final = Metric(
    "affinda_credit_price",
    "gauge",
    "Price of one credit, as configured (allowance.price_per_credit); never converted.",
    (*_ORGANIZATION, "currency"),
)
METRICS: Final = (
    *(metric for metrics in CREDITS.values() for metric in metrics.values()),
    USAGE_DAY,
    *INFO.values(),
    ALLOWED,
    USED,
    AVAILABLE,
    PRICE,
)


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
        return self.counts[begin:end] if begin >= 0 and end <= len(self.counts) else None


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
        query[_AXES[scope.axis].parameter] = scope.identifier
    query |= {name: day.isoformat() for name, day in (("start", start), ("end", end)) if day}
    return _get(settings, key, "usage", query)


def list_request(settings: Settings, key: Secret, name: str) -> Request:
    """Ask for a list of scopes: `organizations`, `workspaces` or `document_types`."""
    query = {} if name == "organizations" else {"organization": settings.organization}
    return _get(settings, key, name, query)


def _get(settings: Settings, key: Secret, path: str, query: dict[str, str]) -> Request:
    return Request(
        "GET",
        f"{settings.address}/v3/{path}" + (f"?{urlencode(query)}" if query else ""),
        {"Authorization": f"Bearer {key.reveal()}", "Accept": "application/json"},
        explain=partial(explain, key=key),
    )


def explain(body: bytes, key: Secret) -> str:
    """The vendor's own words in an error reply: `{type, errors: [{attr, code, detail}]}`."""
    try:
        errors = _json.a_list(_json.an_object(_json.parse(body), "reply").get("errors"), "errors")
        detail = _json.an_object(errors[0], "error").get("detail") if errors else ""
        return fit_to_show(_json.a_text(detail, "detail"), key)
    except PollError:
        return ""


_USAGE_FIELDS: Final = frozenset({"scope", "scopeIdentifier", "start", "end", "total", "items"})
_ITEM_FIELDS: Final = frozenset({"date", "count"})


def parse_usage(body: bytes, scope: Scope, asked: date | None = None) -> Usage:
    """The daily figures in a reply about `scope`, for a window asked to begin at `asked`.

    Raises:
        PollError: malformed, when the reply is not what the reference says or not about `scope`.
    """
    reply = _json.an_object(_json.parse(body), "the reply")
    if (reply.get("scope"), reply.get("scopeIdentifier")) != scope:
        raise malformed("the reply is about another scope than the one asked for")
    start, end = _json.a_day(reply.get("start"), "start"), _json.a_day(reply.get("end"), "end")
    if not start <= end <= start + _LONGEST_WINDOW:
        raise malformed("the reply's window ends before it starts, or is longer than 20 years")
    items = [_item(item) for item in _json.a_list(reply.get("items"), "items")]
    counts = [0] * ((end - start).days + 1)
    for day, credits_, _ in items:
        if start <= day <= end:
            counts[(day - start).days] += credits_
    odd = {
        Anomaly.UNKNOWN_FIELD: reply.keys() > _USAGE_FIELDS or any(item.odd for item in items),
        Anomaly.TOTAL_MISMATCH: _json.a_count(reply.get("total"), "total")
        != sum(item.credits for item in items),
        Anomaly.DUPLICATE_DAY: len({item.day for item in items}) < len(items),
        Anomaly.WINDOW_MISMATCH: start > (asked or end - 364 * _DAY)
        or any(not start <= item.day <= end for item in items),
    }
    return Usage(start, tuple(counts), tuple(anomaly for anomaly, is_so in odd.items() if is_so))


class _Item(NamedTuple):
    day: date
    credits: int
    odd: bool


def _item(value: object) -> _Item:
    item = _json.an_object(value, "an item")
    day = _json.a_day(item.get("date"), "an item's date")
    return _Item(
        day, _json.a_count(item.get("count"), "an item's count"), item.keys() > _ITEM_FIELDS
    )


def parse_names(body: bytes, key: Secret) -> dict[str, str]:
    """Identifier to name, from a list of organizations, workspaces or document types.

    Raises:
        PollError: malformed.
    """
    names = {}
    for value in _json.a_list(_json.parse(body), "the list"):
        entry = _json.an_object(value, "an entry")
        identifier = _json.a_text(entry.get("identifier"), "an identifier")
        if not _IDENTIFIER.fullmatch(key.redact(identifier)):
            raise malformed("an identifier is none")
        names[identifier] = fit_to_show(_json.a_text(entry.get("name"), "a name"), key)
    return names


def reading(
    settings: Settings, usages: Mapping[Scope, Usage], names: Mapping[AxisName, Mapping[str, str]]
) -> Reading:
    """What the figures of the organization (the first scope) and of its other scopes say.

    Args:
        settings: the target.
        usages: daily figures by scope.
        names: by axis, identifier to name, of what the lists hold.
    """
    whole = next(iter(usages.values()))
    samples = [Sample(USAGE_DAY, (settings.organization,), _midnight(whole.today))]
    for scope, usage in usages.items():
        samples += _scope_samples(settings.organization, scope, usage)
        if name := names.get(scope.axis, {}).get(scope.identifier):
            labels = (*_labels(settings.organization, scope), name)
            samples.append(Sample(INFO[scope.axis], labels, 1))
    anomalies = [anomaly for usage in usages.values() for anomaly in usage.anomalies]
    anomalies += (Anomaly.SCOPE_MISMATCH for usage in usages.values() if _exceeds(usage, whole))
    allowances: tuple[Allowance, ...] = ()
    if settings.allowance:
        allowances = tuple(_allowances(settings.allowance, settings.organization, whole))
        samples += _allowance_samples(settings.allowance, allowances)
    return Reading(tuple(samples), allowances, tuple(anomalies))


def _labels(organization: str, scope: Scope) -> tuple[str, ...]:
    own = () if scope.axis == "organization" else (scope.identifier,)
    return organization, *own


def _scope_samples(organization: str, scope: Scope, usage: Usage) -> Iterator[Sample]:
    labels = _labels(organization, scope)
    windows = _windows(usage.today)
    for suffix, metric in CREDITS[scope.axis].items():
        days = usage.days(*windows[suffix])
        if days is not None:
            yield Sample(metric, labels, sum(days))


def _exceeds(part: Usage, whole: Usage) -> bool:
    """Whether a part used more than the whole on the last complete days that both cover."""
    last = whole.today - _DAY
    days, all_days = (usage.days(last - 28 * _DAY, last) for usage in (part, whole))
    return sum(days or ()) > sum(all_days or ()) and bool(all_days)


def _allowances(bought: AllowanceSettings, organization: str, usage: Usage) -> Iterator[Allowance]:
    """What is left of the allowance; nothing before it begins, or where figures are missing."""
    today = usage.today
    first, after = bought.bounds(today)
    last = min(today, after - _DAY) if after else today
    days = usage.days(first, last) if first <= last else None
    if days is None:
        return
    used = sum(days)
    available = max(0, bought.credits - used)
    history = usage.days(today - forecast.HISTORY * _DAY, today - _DAY)
    out = None
    if available and history:
        out = forecast.run_out_by_weekdays(history, _midnight(today), usage.counts[-1], available)
    elif used > 0 and not available:
        out = _midnight(first + forecast.day_of_run_out(days, bought.credits) * _DAY)
    yield Allowance(
        account=organization,
        name="credits",
        unit="credits",
        allowed=bought.credits,
        used=used,
        available=available,
        burn_per_day=forecast.mean_per_day(history) if history else None,
        exhaustion=out,
        end=_midnight(after) if after else None,
    )


def _allowance_samples(
    bought: AllowanceSettings, allowances: Iterable[Allowance]
) -> Iterator[Sample]:
    for allowance in allowances:
        labels = (allowance.account,)
        yield Sample(ALLOWED, labels, allowance.allowed)
        yield Sample(USED, labels, allowance.used)
        yield Sample(AVAILABLE, labels, allowance.available)
        if bought.price_per_credit is not None and bought.currency:
            yield Sample(PRICE, (*labels, bought.currency), bought.price_per_credit)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


_LISTS: Final[Mapping[AxisName, str]] = {
    "organization": "organizations",
    "workspace": "workspaces",
    "documentType": "document_types",
}


def connect(settings: Settings) -> Fetch:
    """What polls this target: a request for each scope, and now and then one for each list."""
    parts: dict[AxisName, Scopes] = {
        "workspace": settings.workspaces,
        "documentType": settings.document_types,
    }
    parts = {axis: scopes for axis, scopes in parts.items() if scopes != "none"}
    lists = {
        axis: Remembered[dict[str, str]](settings.discovery.interval)
        for axis in ("organization", *parts)
    }
    whole = Scope("organization", settings.organization)

    async def fetch(send: Send, now: float) -> Reading:
        key = settings.key.read()

        async def names(axis: AxisName) -> dict[str, str]:
            async def ask() -> dict[str, str]:
                return parse_names(await send(list_request(settings, key, _LISTS[axis])), key)

            # Without `all` the lists only give names, and a poll can do without names.
            return await lists[axis].get(ask, None if parts.get(axis) == "all" else {})

        async def usage(scope: Scope, start: date | None = None, end: date | None = None) -> Usage:
            body = await send(usage_request(settings, key, scope, start, end))
            return parse_usage(body, scope, start)

        usages = {whole: await usage(whole, _start(settings.allowance, now))}
        found = {axis: await names(axis) for axis in lists}
        today = usages[whole].today
        scopes = [
            Scope(axis, identifier)
            for axis, chosen in parts.items()
            for identifier in _identifiers(settings, axis, chosen, found[axis])
        ]
        try:
            figures = await together(
                naming(f"{_AXES[scope.axis].words} {scope.identifier}", usage(scope, end=today))
                for scope in scopes
            )
        except PollError:
            # A scope that is gone answers with an error: let the lists tell at the next poll.
            for axis, chosen in parts.items():
                if chosen == "all":
                    lists[axis].expire()
            raise
        return reading(settings, usages | dict(zip(scopes, figures, strict=True)), found)

    return fetch


def _identifiers(
    settings: Settings, axis: AxisName, chosen: Scopes, names: dict[str, str]
) -> tuple[str, ...]:
    if chosen == "all":
        return settings.discovery.chosen(names, _LISTS[axis], settings.name)
    return tuple(chosen)


def _start(bought: AllowanceSettings | None, now: float) -> date | None:
    """The start to ask for: only where the allowance began before the vendor's default window."""
    year_ago = datetime.fromtimestamp(now, UTC).date() - 364 * _DAY
    if bought and bought.period == "prepaid" and bought.starts and bought.starts < year_ago:
        return bought.starts
    return None
