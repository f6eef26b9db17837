"""Polls an Affinda target: a request for each scope, and now and then one for each list."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from exporter.records import PollError
from exporter.vendors._discovery import Listing, Rhythm
from exporter.vendors._together import naming, together
from exporter.vendors.affinda.api import (
    Scope,
    list_request,
    parse_names,
    parse_usage,
    usage_request,
)
from exporter.vendors.affinda.metrics import AXES
from exporter.vendors.affinda.reading import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from exporter.keys import Secret
    from exporter.records import Reading
    from exporter.vendors import Fetch, Send
    from exporter.vendors.affinda.api import Usage
    from exporter.vendors.affinda.metrics import Axis
    from exporter.vendors.affinda.settings import Scopes, Settings

Names = dict[str, str]  # by identifier


def connect(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Fetch:
    """What polls this target; `clock` gives the monotonic seconds by which lists are renewed."""
    return _Connection(settings, clock).fetch


class ThereIs(NamedTuple):
    """What there is at the vendor: its current day, names by axis, scopes beside the whole."""

    today: date
    names: dict[Axis, Names]
    scopes: list[Scope]


async def there_is(settings: Settings, send: Send) -> ThereIs:
    """What there is at the vendor, asked for now: the scopes are those a poll would ask about."""
    connection = _Connection(settings, time.monotonic)
    _, found = await connection.found(_Api(settings, settings.key.read(), send))
    return found


class _Api(NamedTuple):
    """The API, with the key as it is at one poll."""

    settings: Settings
    key: Secret
    send: Send

    async def usage(
        self, scope: Scope, start: date | None = None, end: date | None = None
    ) -> Usage:
        request = usage_request(self.settings, self.key, scope, start, end)
        return parse_usage(await self.send(request), scope, start, end)

    async def names(self, axis: Axis, patience: float | None) -> Names:
        body = await self.send(list_request(self.settings, self.key, axis, patience))
        return parse_names(body, self.key)


class _Connection:
    """What is kept from one poll of a target to the next: its lists, and how far back to ask."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._whole = Scope("organization", settings.organization)
        self._start: date | None = None
        self._parts = _parts(settings)
        rhythm = Rhythm.of(settings.discovery, settings.poll.timeout, clock)
        # Without `all` a list only gives names, and a poll can do without names.
        self._lists: dict[Axis, Listing[Names]] = {
            axis: Listing(rhythm, settings.name, None if self._parts.get(axis) == "all" else {})
            for axis in ("organization", *self._parts)
        }

    async def fetch(self, send: Send, _now: float) -> Reading:
        """Poll once; the vendor's clock is the only one that counts."""
        api = _Api(self._settings, self._settings.key.read(), send)
        whole, (today, names, scopes) = await self.found(api)
        try:
            usages = await together(
                naming(_in_words(scope), api.usage(scope, end=today)) for scope in scopes
            )
        except PollError as error:
            for listing in self._lists.values():
                listing.doubt(error)
            raise
        figures = {self._whole: whole} | dict(zip(scopes, usages, strict=True))
        return reading(self._settings, figures, names)

    async def found(self, api: _Api) -> tuple[Usage, ThereIs]:
        """The organization's figures, and what there is beside them."""
        whole = await self._usage_of_all(api)
        names = await self._names(api)
        return whole, ThereIs(whole.today, names, list(self._scopes(names)))

    async def _usage_of_all(self, api: _Api) -> Usage:
        """The organization's figures, back to where its allowance began.

        Only the vendor knows its current day. So the first poll finds out in a second request
        whether the allowance began before the usual window, and later polls ask in one.
        """
        usage = await api.usage(self._whole, self._start)
        if self._settings.allowance:
            first, _ = self._settings.allowance.bounds(usage.today)
            if first < usage.start and first != self._start:
                self._start = first
                usage = await api.usage(self._whole, first)
        return usage

    async def _names(self, api: _Api) -> dict[Axis, Names]:
        found = await together(
            listing.get(partial(self._listed, api, axis)) for axis, listing in self._lists.items()
        )
        return dict(zip(self._lists, found, strict=True))

    async def _listed(self, api: _Api, axis: Axis, patience: float | None) -> Names:
        names = await api.names(axis, patience)
        if self._parts.get(axis) == "all":
            self._settings.discovery.warn_of_more(names, AXES[axis].listed, self._settings.name)
        return names

    def _scopes(self, names: Mapping[Axis, Names]) -> Iterator[Scope]:
        for axis, wanted in self._parts.items():
            chosen = self._settings.discovery.chosen(names[axis]) if wanted == "all" else wanted
            yield from (Scope(axis, identifier) for identifier in chosen)


def _parts(settings: Settings) -> dict[Axis, Scopes]:
    """The axes beside the organization that are wanted."""
    wanted: dict[Axis, Scopes] = {
        "workspace": settings.workspaces,
        "documentType": settings.document_types,
    }
    return {axis: scopes for axis, scopes in wanted.items() if scopes != "none"}


def _in_words(scope: Scope) -> str:
    return f"{AXES[scope.axis].text} {scope.identifier}"
