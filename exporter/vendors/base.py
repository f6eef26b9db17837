"""What a vendor is to the rest of the program: the contract of a vendor's package or plug-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from exporter.client.client import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from datetime import date

    from exporter.config.models import Target
    from exporter.model import HistoricalResult, MetricFamily, PollResult
    from exporter.past_usage import PastUsage

__all__ = ["History", "HistoryQuery", "IdentifyingFields", "Poller", "Transport", "Vendor"]

T = TypeVar("T")


class Poller(Protocol):
    """Polls one target; may keep from one poll to the next what it needs."""

    async def __call__(self, send: Transport, now: float, /) -> PollResult:
        """Poll once.

        Args:
            send: makes a request.
            now: Unix seconds.

        Raises:
            PollError: nothing of what the target is for could be read.
        """
        ...


class HistoryQuery(NamedTuple):
    """What to read of a target's past.

    Args:
        first, last: days, both included; the last may be the vendor's current one, or later.
        scope_kinds: the kinds of scopes that are needed in addition to the account, such as
            `workspace`; None means every scope that the target's settings name.
    """

    first: date
    last: date
    scope_kinds: frozenset[str] | None = None


class History(NamedTuple, Generic[T]):
    """A target's past usage, where a vendor has an API for it.

    `T` is the vendor's own: what its API reports of one scope or group. It is read once, in one
    way; `backfill` maps it to metrics, `report` to usage. The mappings are pure functions. The
    first argument of each function is the target's settings. Of a scope whose own request was
    rejected, `read` gives the failure: `to_results` raises it, `to_usage` gives an `UnreadScope`,
    and for a part also its days, as unknown.

    Args:
        read: requests the past, one scope after the other; scopes of kinds that the query does
            not name cost no request. Raises `PollError` as a `Poller` does.
        to_results: what a poll would have read at the end of each day or period: the whole past of
            some series in order of time, so that no series is in two items of `read`. Only days
            that the vendor calls complete are included.
        to_usage: the usage by day, or the periods that overlap the query's days. The usage of an
            account comes before that of its parts; the vendor's current day is included.
    """

    read: Callable[[Any, Transport, HistoryQuery], AsyncGenerator[T]]
    to_results: Callable[[Any, T, HistoryQuery], Iterable[HistoricalResult]]
    to_usage: Callable[[Any, T, HistoryQuery], Iterable[PastUsage]]


class IdentifyingFields(NamedTuple):
    """Which fields identify somebody, for anonymous captures.

    A field is a key of the target's settings, a parameter of a query or form, a member of a JSON
    object, or an element or attribute of XML; upper and lower case are the same. In a field that
    is in no list, text is replaced and numbers and dates stay.

    Args:
        identifiers: hold identifiers.
        names: hold names for people.
        messages: hold sentences, which may quote identifiers and names.
        plain: hold neither; `*` stands for any characters.
        keywords: values of settings for identifiers that mean several, such as `all`.
        domains: the vendor's own, which stay in URLs.
    """

    identifiers: frozenset[str]
    names: frozenset[str]
    messages: frozenset[str]
    plain: tuple[str, ...]
    keywords: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()


class Vendor(NamedTuple):
    """A vendor whose API reports usage.

    Args:
        settings: the model of its targets in the configuration, a subclass of `Target` whose
            `vendor` is a Literal of the vendor's name.
        metrics: what it reports, each with `target` as the first label and the vendor's name as
            a prefix.
        create_poller: makes the poller of a target out of that target's settings.
        history: a target's past; None where the vendor has no API for it.
        title: the vendor's name for people; by default its name in the configuration.
        fields: what identifies somebody; without it, captures cannot be anonymized.
    """

    settings: type[Target]
    metrics: tuple[MetricFamily, ...]
    create_poller: Callable[[Any], Poller]
    history: History[Any] | None = None
    title: str = ""
    fields: IdentifyingFields | None = None
