"""Polls an Affinda target: a request for each scope, and now and then one for each list."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache, partial
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
from exporter.vendors.affinda.mapper import describe, poll_result
from exporter.vendors.affinda.metrics import AXES
from exporter.vendors.common.concurrency import gather_results
from exporter.vendors.common.discovery import (
    SCOPE_TIMEOUT,
    CachedList,
    RefreshPolicy,
    warn_if_skipped,
)
from exporter.vendors.common.scope_failures import poll_error, scope_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from exporter.model import PollResult, ScopeFailure
    from exporter.secrets import Secret
    from exporter.vendors.affinda.api import Usage
    from exporter.vendors.affinda.metrics import Axis
    from exporter.vendors.affinda.settings import Scopes, Settings
    from exporter.vendors.base import Poller, Transport


def create_poller(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Poller:
    """The poller of this target.

    Args:
        settings: the target.
        clock: monotonic seconds, by which lists are refreshed.
    """
    return _TargetPoller(settings, clock).poll


class Discovery(NamedTuple):
    """What a poll has found at the vendor before it requests the scopes.

    Args:
        today: the vendor's current day.
        names: by axis, identifier to name.
        scopes: in addition to the organization.
        failures: lists that could not be read.
    """

    today: date
    names: dict[Axis, dict[str, str]]
    scopes: list[Scope]
    failures: list[ScopeFailure]


async def discover(settings: Settings, send: Transport) -> Discovery:
    """What there is at the vendor now; the scopes are those of a poll.

    Raises:
        PollError: the organization's usage or a list of scopes cannot be read.
    """
    poller = _TargetPoller(settings, time.monotonic)
    _, found = await poller.discover(_Api(settings, settings.key.read(), send))
    if found.failures:
        raise poll_error(found.failures[0])
    return found


class _Response(NamedTuple):
    """A response about one scope.

    Args:
        scope: what it is about.
        digest: of the request and the response: the same means the same figures.
        usage: its figures; parses the response once.
    """

    scope: Scope
    digest: bytes
    usage: Callable[[], Usage]


class _LastPoll(NamedTuple):
    """The last successful poll: small, for each target.

    Args:
        digests: of its responses, the organization's first.
        names: by axis, identifier to name.
        failures: scopes that could not be read.
        today: the vendor's current day.
        result: what it came to.
    """

    digests: tuple[bytes, ...]
    names: Mapping[Axis, dict[str, str]]
    failures: tuple[ScopeFailure, ...]
    today: date
    result: PollResult


class _Api(NamedTuple):
    """The API, with the key as it is at one poll, and the digests of responses that are known."""

    settings: Settings
    key: Secret
    send: Transport
    known: tuple[bytes, ...] = ()

    async def usage(
        self, scope: Scope, start: date | None = None, end: date | None = None
    ) -> _Response:
        """The usage of a scope; a known response is parsed only if its figures are needed."""
        request = usage_request(self.settings, self.key, scope, start, end)
        if scope.axis != "organization":
            request = replace(request, timeout=self.settings.poll.timeout * SCOPE_TIMEOUT)
        body = await self.send(request)
        digest = blake2b(request.url.encode() + body, digest_size=16).digest()
        usage = cache(partial(parse_usage, body, scope, start, end))
        if digest not in self.known:
            usage()
        return _Response(scope, digest, usage)


class _TargetPoller:
    """What is kept from one poll to the next: lists, the first day to request, the last result."""

    __slots__ = ("_last", "_lists", "_settings", "_start")

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._start: date | None = None
        self._last: _LastPoll | None = None
        policy = RefreshPolicy(settings.discovery.interval, settings.poll.timeout, clock)
        wanted = _wanted(settings)
        # Without `all` a list only gives names, and a poll can do without names.
        self._lists: dict[Axis, CachedList[dict[str, str]]] = {
            axis: CachedList(policy, settings.name, None if wanted.get(axis) == "all" else {})
            for axis in ("organization", *wanted)
        }

    async def poll(self, send: Transport, _now: float, /) -> PollResult:
        """Poll once; only the vendor's clock counts. Unchanged responses give the last result."""
        known = self._last.digests if self._last else ()
        api = _Api(self._settings, self._settings.key.read(), send, known)
        organization, (today, names, scopes, failures) = await self.discover(api)
        results = await gather_results(api.usage(scope, end=today) for scope in scopes)
        responses = [organization]
        for scope, result in zip(scopes, results, strict=True):
            if isinstance(result, PollError):
                label = AXES[scope.axis].label
                failures.append(scope_failure(describe(scope), label, scope.identifier, result))
                for cached in self._lists.values():
                    cached.invalidate(result)
            else:
                responses.append(result)
        found = tuple(response.digest for response in responses), names, tuple(failures)
        if self._last is None or found != self._last[:3]:
            usages = {response.scope: response.usage() for response in responses}
            self._last = _LastPoll(
                *found, today, poll_result(self._settings, usages, names, tuple(failures))
            )
        return self._last.result

    async def discover(self, api: _Api) -> tuple[_Response, Discovery]:
        """The organization's figures, and what there is in addition."""
        organization = await self._organization_usage(api)
        if self._last and organization.digest == self._last.digests[0]:
            today = self._last.today
        else:
            today = organization.usage().today
        lists = await gather_results(
            cached.get(partial(self._request_list, api, axis))
            for axis, cached in self._lists.items()
        )
        names: dict[Axis, dict[str, str]] = {}
        failures = []
        for axis, result in zip(self._lists, lists, strict=True):
            if isinstance(result, PollError):
                label, listed, _ = AXES[axis]
                failures.append(scope_failure(f"list of {listed}", label, "", result))
            names[axis] = {} if isinstance(result, PollError) else result
        return organization, Discovery(today, names, list(self._scopes(names)), failures)

    async def _organization_usage(self, api: _Api) -> _Response:
        """The organization's figures, back to where its allowance began.

        Only the vendor knows its current day. So the first poll finds out in a second request
        whether the allowance began before the usual window; later polls need one request.
        """
        scope = Scope("organization", self._settings.organization)
        response = await api.usage(scope, self._start)
        if self._settings.allowance and response.digest not in api.known:
            usage = response.usage()
            first, _ = self._settings.allowance.bounds(usage.today)
            if first < usage.start and first != self._start:
                self._start = first
                response = await api.usage(scope, first)
        return response

    async def _request_list(
        self, api: _Api, axis: Axis, max_seconds: float | None
    ) -> dict[str, str]:
        body = await api.send(list_request(self._settings, api.key, axis, max_seconds))
        names, skipped = parse_names(body, api.key)
        listed, target = AXES[axis].listed, self._settings.name
        warn_if_skipped(skipped, listed, target)
        if _wanted(self._settings).get(axis) == "all":
            self._settings.discovery.warn_if_limited(names, listed, target)
        return names

    def _scopes(self, names: Mapping[Axis, Mapping[str, str]]) -> Iterator[Scope]:
        for axis, wanted in _wanted(self._settings).items():
            selected = self._settings.discovery.select(names[axis]) if wanted == "all" else wanted
            yield from (Scope(axis, identifier) for identifier in selected)


def _wanted(settings: Settings) -> dict[Axis, Scopes]:
    """The axes that are wanted in addition to the organization."""
    wanted: dict[Axis, Scopes] = {
        "workspace": settings.workspaces,
        "documentType": settings.document_types,
    }
    return {axis: scopes for axis, scopes in wanted.items() if scopes != "none"}
