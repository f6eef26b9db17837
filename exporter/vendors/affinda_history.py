"""Affinda's past: what a poll would have read at the end of each complete day.

One request for each scope brings its daily figures; they are cut off after each day in turn and
read by what reads the present.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.records import Reading, Stretch
from exporter.vendors import affinda
from exporter.vendors._days import DAY, day_of, days_between, midnight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from datetime import date

    from exporter.vendors import Send

_LEAD: Final = 365 * DAY  # what the longest window needs to reach back from the first day
_CURRENT_DAY: Final = "affinda_usage_day_timestamp_seconds"


async def history(
    settings: affinda.Settings, send: Send, first: date, last: date
) -> AsyncIterator[Sequence[Stretch]]:
    """The days from `first` to `last` that the vendor calls complete; see `vendors.History`.

    A poll tells first which day the vendor calls the current one, and which scopes there are.
    """
    today = await affinda.connect(settings)(send, time.time())
    last = min(last, _current_day(today) - DAY)
    if last < first:
        return
    names = tuple(sample for sample in today.samples if sample.metric.kind == "info")
    yield [Stretch(midnight(first), midnight(last + DAY), Reading(names))]
    past = _Past(settings, send, first, last)
    organization = affinda.Scope("organization", settings.organization)
    whole = await past.usage(organization)
    yield past.stretches({organization: whole})
    for part, label in _parts(today):
        yield past.stretches({organization: whole, part: await past.usage(part)}, label)


def _current_day(today: Reading) -> date:
    return next(day_of(value) for metric, _, value in today.samples if metric.name == _CURRENT_DAY)


def _parts(today: Reading) -> Iterator[tuple[affinda.Scope, str]]:
    """The scopes beside the organization, each with the label that its series alone have."""
    for metric, labels, _ in today.samples:
        if metric.name == "affinda_workspace_credits_daily":
            yield affinda.Scope("workspace", labels[1]), "workspace"
        elif metric.name == "affinda_document_type_credits_daily":
            yield affinda.Scope("documentType", labels[1]), "document_type"


class _Past(NamedTuple):
    """The past of a target, from a first to a last day."""

    settings: affinda.Settings
    send: Send
    first: date
    last: date

    async def usage(self, scope: affinda.Scope) -> affinda.Usage:
        """The daily figures of a scope, back to what its windows and the allowance need."""
        start = self.first - _LEAD
        if self.settings.allowance:
            start = min(start, self.settings.allowance.bounds(self.first)[0])
        key = self.settings.key.read()
        body = await self.send(affinda.usage_request(self.settings, key, scope, start, self.last))
        return affinda.parse_usage(body, scope, start)

    def stretches(
        self, usages: Mapping[affinda.Scope, affinda.Usage], label: str | None = None
    ) -> list[Stretch]:
        """What was read on each day; of the samples only those with the label, where one is told.

        Days that a vendor's reply does not cover are absent.
        """
        first = max(self.first, *(usage.start for usage in usages.values()))
        last = min(self.last, *(usage.today for usage in usages.values()))
        return [
            Stretch(midnight(day), midnight(day + DAY), self._reading(usages, day, label))
            for day in days_between(first, last)
        ]

    def _reading(
        self, usages: Mapping[affinda.Scope, affinda.Usage], day: date, label: str | None
    ) -> Reading:
        by_then = {scope: _until(usage, day) for scope, usage in usages.items()}
        reading = affinda.reading(self.settings, by_then, {})
        if label is None:
            return reading
        return Reading(tuple(each for each in reading.samples if label in each.metric.labels))


def _until(usage: affinda.Usage, day: date) -> affinda.Usage:
    """The figures as they were when the day ended."""
    return affinda.Usage(usage.start, usage.counts[: (day - usage.start).days + 1])
