"""Polls an Affinda target: a request for each scope, and now and then one for each list."""

from __future__ import annotations

import time
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from exporter.records import PollError
from exporter.vendors._discovery import Listing, Looks
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
    from collections.abc import Callable, Iterator, Mapping, Sequence
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
    _, found = await connection.found(_Api(settings, settings.key.read(), send, {}))
    return found


class _Told(NamedTuple):
    """What was asked, and a digest of the reply: the same again says the same."""

    scope: Scope
    start: date | None
    end: date | None
    digest: bytes


class _Window(NamedTuple):
    """The first and the last day that a reply tells of."""

    start: date
    today: date


class _Answer(NamedTuple):
    """A reply about one scope; `usage` gives its figures."""

    told: _Told
    window: _Window
    usage: Callable[[], Usage]


class _Known(NamedTuple):
    """What the last successful poll was told, and what was made of it."""

    windows: Mapping[_Told, _Window]
    names: Mapping[Axis, Names]
    reading: Reading


class _Api(NamedTuple):
    """The API, with the key as it is at one poll, and replies that were read before."""

    settings: Settings
    key: Secret
    send: Send
    windows: Mapping[_Told, _Window]

    async def usage(
        self, scope: Scope, start: date | None = None, end: date | None = None
    ) -> _Answer:
        """The usage of a scope; a reply that is known is read only if its figures are needed."""
        body = await self.send(usage_request(self.settings, self.key, scope, start, end))
        told = _Told(scope, start, end, blake2b(body, digest_size=16).digest())
        read = partial(parse_usage, body, scope, start, end)
        if told in self.windows:
            return _Answer(told, self.windows[told], read)
        usage = read()
        return _Answer(told, _Window(usage.start, usage.today), lambda: usage)

    async def names(self, axis: Axis, patience: float | None) -> Names:
        body = await self.send(list_request(self.settings, self.key, axis, patience))
        return parse_names(body, self.key)


class _Connection:
    """What is kept from one poll to the next: lists, how far back to ask, and the last reading."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._whole = Scope("organization", settings.organization)
        self._start: date | None = None
        self._known: _Known | None = None
        self._parts = _parts(settings)
        looks = Looks.of(settings.discovery, settings.poll.timeout, clock)
        # Without `all` a list only gives names, and a poll can do without names.
        self._lists: dict[Axis, Listing[Names]] = {
            axis: Listing(looks, settings.name, None if self._parts.get(axis) == "all" else {})
            for axis in ("organization", *self._parts)
        }

    async def fetch(self, send: Send, _now: float) -> Reading:
        """Poll once; the vendor's clock is the only one that counts."""
        windows = self._known.windows if self._known else {}
        api = _Api(self._settings, self._settings.key.read(), send, windows)
        whole, (today, names, scopes) = await self.found(api)
        try:
            parts = await together(
                naming(_in_words(scope), api.usage(scope, end=today)) for scope in scopes
            )
        except PollError as error:
            for listing in self._lists.values():
                listing.doubt(error)
            raise
        return self._reading([whole, *parts], names)

    def _reading(self, answers: Sequence[_Answer], names: Mapping[Axis, Names]) -> Reading:
        """What the answers amount to: the last reading, where they are what they were."""
        windows = {answer.told: answer.window for answer in answers}
        known = self._known
        if known is None or (windows, names) != (known.windows, known.names):
            figures = {answer.told.scope: answer.usage() for answer in answers}
            known = _Known(windows, names, reading(self._settings, figures, names))
        self._known = known
        return known.reading

    async def found(self, api: _Api) -> tuple[_Answer, ThereIs]:
        """The organization's figures, and what there is beside them."""
        whole = await self._usage_of_all(api)
        names = await self._names(api)
        return whole, ThereIs(whole.window.today, names, list(self._scopes(names)))

    async def _usage_of_all(self, api: _Api) -> _Answer:
        """The organization's figures, back to where its allowance began.

        Only the vendor knows its current day. So the first poll finds out in a second request
        whether the allowance began before the usual window, and later polls ask in one.
        """
        answer = await api.usage(self._whole, self._start)
        if self._settings.allowance:
            first, _ = self._settings.allowance.bounds(answer.window.today)
            if first < answer.window.start and first != self._start:
                self._start = first
                answer = await api.usage(self._whole, first)
        return answer

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
