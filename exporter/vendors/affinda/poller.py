"""Polls an Affinda target: a request for each scope, and now and then one for each list."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from exporter.model import PollError
from exporter.vendors.affinda.api import (
    Scope,
    list_request,
    parse_names,
    parse_usage,
    usage_request,
)
from exporter.vendors.affinda.mapper import poll_result
from exporter.vendors.affinda.metrics import AXES
from exporter.vendors.common.concurrency import gather_or_fail, with_context
from exporter.vendors.common.discovery import CachedList, RefreshPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from exporter.model import PollResult
    from exporter.secrets import Secret
    from exporter.vendors.affinda.api import Usage
    from exporter.vendors.affinda.metrics import Axis
    from exporter.vendors.affinda.settings import Scopes, Settings
    from exporter.vendors.base import Poller, Transport

Names = dict[str, str]  # by identifier


def create_poller(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Poller:
    """What polls this target; `clock` gives the monotonic seconds by which lists are renewed."""
    return _Connection(settings, clock).fetch


class Discovery(NamedTuple):
    """What there is at the vendor: its current day, names by axis, scopes beside the whole."""

    today: date
    names: dict[Axis, Names]
    scopes: list[Scope]


async def discover(settings: Settings, send: Transport) -> Discovery:
    """What there is at the vendor, asked for now: the scopes are those a poll would ask about."""
    connection = _Connection(settings, time.monotonic)
    _, found = await connection.found(_Api(settings, settings.key.read(), send, {}))
    return found


class _Window(NamedTuple):
    """The first and the last day that a reply tells of."""

    start: date
    today: date


class _Answer(NamedTuple):
    """A reply about one scope.

    Args:
        scope: what it is about.
        told: a digest of what was asked and of the reply: the same again says the same.
        window: the days that it tells of.
        usage: gives its figures.
    """

    scope: Scope
    told: bytes
    window: _Window
    usage: Callable[[], Usage]


class _Known(NamedTuple):
    """What the last successful poll was told, and what was made of it: small, one for each target.

    Args:
        windows: by the digest of what was told.
        names: of each list, in their order.
        reading: what it came to.
    """

    windows: tuple[tuple[bytes, _Window], ...]
    names: tuple[Names, ...]
    poll_result: PollResult


class _Api(NamedTuple):
    """The API, with the key as it is at one poll, and replies that were read before."""

    settings: Settings
    key: Secret
    send: Transport
    windows: Mapping[bytes, _Window]

    async def usage(
        self, scope: Scope, start: date | None = None, end: date | None = None
    ) -> _Answer:
        """The usage of a scope; a reply that is known is read only if its figures are needed."""
        body = await self.send(usage_request(self.settings, self.key, scope, start, end))
        told = _digest(body, scope, start, end)
        read = partial(parse_usage, body, scope, start, end)
        if told in self.windows:
            return _Answer(scope, told, self.windows[told], read)
        usage = read()
        return _Answer(scope, told, _window(usage.start, usage.today), lambda: usage)

    async def names(self, axis: Axis, max_seconds: float | None) -> Names:
        body = await self.send(list_request(self.settings, self.key, axis, max_seconds))
        return parse_names(body, self.key)


def _digest(body: bytes, *asked: object) -> bytes:
    """Of a reply, and of what was asked."""
    digest = blake2b(repr(asked).encode(), digest_size=16)
    digest.update(body)
    return digest.digest()


@lru_cache(maxsize=16)
def _window(start: date, today: date) -> _Window:
    """The same one for nearly all targets."""
    return _Window(start, today)


class _Connection:
    """What is kept from one poll to the next: lists, how far back to ask, and the last reading."""

    __slots__ = ("_known", "_lists", "_settings", "_start")

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._start: date | None = None
        self._known: _Known | None = None
        policy = RefreshPolicy(settings.discovery.interval, settings.poll.timeout, clock)
        parts = _parts(settings)
        # Without `all` a list only gives names, and a poll can do without names.
        self._lists: tuple[tuple[Axis, CachedList[Names]], ...] = tuple(
            (axis, CachedList(policy, settings.name, None if parts.get(axis) == "all" else {}))
            for axis in ("organization", *parts)
        )

    async def fetch(self, send: Transport, _now: float) -> PollResult:
        """Poll once; the vendor's clock is the only one that counts."""
        windows = self._known.windows if self._known else ()
        api = _Api(self._settings, self._settings.key.read(), send, dict(windows))
        whole, (today, names, scopes) = await self.found(api)
        try:
            parts = await gather_or_fail(
                with_context(_in_words(scope), api.usage(scope, end=today)) for scope in scopes
            )
        except PollError as error:
            for _, listing in self._lists:
                listing.invalidate(error)
            raise
        return self._poll_result([whole, *parts], names)

    def _poll_result(self, answers: Sequence[_Answer], names: Mapping[Axis, Names]) -> PollResult:
        """What the answers amount to: the last reading, where they are what they were."""
        told = tuple((answer.told, answer.window) for answer in answers), tuple(names.values())
        if self._known is None or told != self._known[:2]:
            figures = {answer.scope: answer.usage() for answer in answers}
            self._known = _Known(*told, poll_result(self._settings, figures, names))
        return self._known.poll_result

    async def found(self, api: _Api) -> tuple[_Answer, Discovery]:
        """The organization's figures, and what there is beside them."""
        whole = await self._usage_of_all(api)
        names = await self._names(api)
        return whole, Discovery(whole.window.today, names, list(self._scopes(names)))

    async def _usage_of_all(self, api: _Api) -> _Answer:
        """The organization's figures, back to where its allowance began.

        Only the vendor knows its current day. So the first poll finds out in a second request
        whether the allowance began before the usual window, and later polls ask in one.
        """
        whole = Scope("organization", self._settings.organization)
        answer = await api.usage(whole, self._start)
        if self._settings.allowance:
            first, _ = self._settings.allowance.bounds(answer.window.today)
            if first < answer.window.start and first != self._start:
                self._start = first
                answer = await api.usage(whole, first)
        return answer

    async def _names(self, api: _Api) -> dict[Axis, Names]:
        found = await gather_or_fail(
            listing.get(partial(self._listed, api, axis)) for axis, listing in self._lists
        )
        return {axis: names for (axis, _), names in zip(self._lists, found, strict=True)}

    async def _listed(self, api: _Api, axis: Axis, max_seconds: float | None) -> Names:
        names = await api.names(axis, max_seconds)
        if _parts(self._settings).get(axis) == "all":
            self._settings.discovery.warn_of_more(names, AXES[axis].listed, self._settings.name)
        return names

    def _scopes(self, names: Mapping[Axis, Names]) -> Iterator[Scope]:
        for axis, wanted in _parts(self._settings).items():
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
