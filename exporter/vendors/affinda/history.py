"""Affinda's past usage: what a poll would have read at the end of each complete day.

One request for each scope returns its daily figures; they are cut off after each day and mapped as
a poll maps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.model import HistoricalResult, PollResult
from exporter.vendors.affinda.api import Scope, Usage, parse_usage, usage_request
from exporter.vendors.affinda.mapper import poll_result
from exporter.vendors.affinda.metrics import AXES
from exporter.vendors.affinda.poller import discover
from exporter.vendors.common.days import DAY, days_between, midnight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import date

    from exporter.vendors.affinda.metrics import Axis
    from exporter.vendors.affinda.settings import Settings
    from exporter.vendors.base import Transport

_LOOKBACK: Final = 365 * DAY  # what the longest window needs to reach back from the first day


async def history(
    settings: Settings, send: Transport, first: date, last: date
) -> AsyncIterator[Sequence[HistoricalResult]]:
    """The days from `first` to `last` that the vendor calls complete; see `base.History`.

    Scopes and their names are today's.
    """
    today, names, scopes, _ = await discover(settings, send)
    last = min(last, today - DAY)
    if last < first:
        return
    past = _Past(settings, send, names, first, last)
    organization = Scope("organization", settings.organization)
    usage = await past.usage(organization)
    yield past.historical_results({organization: usage})
    for scope in scopes:
        usages = {organization: usage, scope: await past.usage(scope)}
        yield past.historical_results(usages, AXES[scope.axis].label)


class _Past(NamedTuple):
    """The past of a target, from a first to a last day."""

    settings: Settings
    send: Transport
    names: Mapping[Axis, Mapping[str, str]]
    first: date
    last: date

    async def usage(self, scope: Scope) -> Usage:
        """The daily figures of a scope, back to what its windows and the allowance need."""
        start = self.first - _LOOKBACK
        if self.settings.allowance:
            start = min(start, self.settings.allowance.bounds(self.first)[0])
        key = self.settings.key.read()
        body = await self.send(usage_request(self.settings, key, scope, start, self.last))
        return parse_usage(body, scope, start, self.last)

    def historical_results(
        self, usages: Mapping[Scope, Usage], label: str | None = None
    ) -> list[HistoricalResult]:
        """What was read on each day; of the samples only those with `label`, where one is given.

        Days that the figures do not cover are absent.
        """
        first = max(self.first, *(usage.start for usage in usages.values()))
        last = min(self.last, *(usage.today for usage in usages.values()))
        return [
            HistoricalResult(
                midnight(day), midnight(day + DAY), self._poll_result(usages, day, label)
            )
            for day in days_between(first, last)
        ]

    def _poll_result(
        self, usages: Mapping[Scope, Usage], day: date, label: str | None
    ) -> PollResult:
        by_then = {scope: _until(usage, day) for scope, usage in usages.items()}
        read = poll_result(self.settings, by_then, self.names)
        if label is None:
            return read
        return PollResult(tuple(sample for sample in read.samples if label in sample.metric.labels))


def _until(usage: Usage, day: date) -> Usage:
    """The figures as they were when the day ended."""
    return Usage(usage.start, usage.counts[: (day - usage.start).days + 1])
