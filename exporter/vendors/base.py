"""What a vendor is to the rest of the program: the contract of a vendor's package or plug-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from exporter.client.client import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import date

    from exporter.config.models import Target
    from exporter.model import HistoricalResult, MetricFamily, PollResult

__all__ = ["Fields", "History", "Poller", "Transport", "Vendor"]


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


class History(Protocol):
    """Reads a target's past usage, where a vendor has an API for it."""

    def __call__(
        self,
        settings: Any,  # noqa: ANN401  the vendor's own settings
        send: Transport,
        first: date,
        last: date,
        /,
    ) -> AsyncIterator[Sequence[HistoricalResult]]:
        """The past from the first to the last day.

        Each item is the whole past of some series in order of time, so that no series is in two
        items. Only days that the vendor calls complete are included.

        Raises:
            PollError: as `Poller`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields identify somebody, for anonymous captures.

    A field is a key of the target's settings, a parameter of a query or form, a member of a JSON
    object, or an element or attribute of XML; upper and lower case are the same. In a field that
    is in no list, text is replaced and numbers and dates stay.

    Args:
        identifiers: hold identifiers.
        names: hold names for people.
        messages: hold sentences, which may quote identifiers and names.
        plain: hold neither; `*` stands for any characters.
        keywords: values of identifiers that are none, such as `all`.
        domains: the vendor's own, which stay in URLs.
    """

    identifiers: frozenset[str]
    names: frozenset[str]
    messages: frozenset[str]
    plain: tuple[str, ...]
    keywords: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor whose API reports usage.

    Args:
        settings: the model of its targets in the configuration, a subclass of `Target` whose
            `vendor` is a Literal of the vendor's name.
        metrics: what it reports, each with `target` as the first label and the vendor's name as
            a prefix.
        create_poller: makes the poller of a target out of that target's settings.
        history: reads a target's past; None where the vendor has no API for it.
        fields: what identifies somebody; without it, captures cannot be anonymized.
    """

    settings: type[Target]
    metrics: tuple[MetricFamily, ...]
    create_poller: Callable[[Any], Poller]
    history: History | None = None
    fields: Fields | None = None
