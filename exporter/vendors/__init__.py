"""The vendors by name. A new one is a folder like its neighbours, and one line here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from exporter.client.client import Request
from exporter.model import HistoricalResult, MetricFamily, PollResult
from exporter.vendors import affinda, xtracta

if TYPE_CHECKING:
    from exporter.config.models import Target

Transport: TypeAlias = Callable[[Request], Awaitable[bytes]]
"""Makes one call: the body of a 200 reply, or PollError."""

Poller: TypeAlias = Callable[[Transport, float], Awaitable[PollResult]]
"""Polls a target once, given the way out and the time (Unix seconds): a Reading, or PollError."""


History: TypeAlias = Callable[
    [Any, Transport, date, date], AsyncIterator[Sequence[HistoricalResult]]
]
"""Asks for a target's past, given its settings, the way out, and the first and the last day.

Each item is the whole past of some series in order of time, so that no series is in two of them.
Only complete days of the vendor are told. Raises PollError."""


class Vendor(NamedTuple):
    """What the rest of the program knows of a vendor.

    Args:
        settings: the model of its targets in the configuration.
        metrics: what it reports.
        connect: makes what polls a target out of that target's settings.
        history: asks for a target's past.
    """

    settings: type[Target]
    metrics: tuple[MetricFamily, ...]
    create_poller: Callable[[Any], Poller]
    history: History


VENDORS: Final = {
    "affinda": Vendor(affinda.Settings, affinda.METRICS, affinda.create_poller, affinda.history),
    "xtracta": Vendor(xtracta.Settings, xtracta.METRICS, xtracta.create_poller, xtracta.history),
}
