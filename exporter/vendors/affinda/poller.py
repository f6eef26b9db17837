"""Polls an Affinda target: a request for each scope, and now and then one for each list."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache, partial
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from exporter.model import PollError, ScopeFailure
from exporter.vendors.affinda.api import (
    Names,
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
    CachedList,
    RefreshPolicy,
    scope_timeout,
    warn_if_skipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from exporter.model import PollResult
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
    _, found = await poller.discover(_Api(settings, settings.key.read(), send, {}))
    if found.failures:
        first = found.failures[0]
        raise PollError(first.reason, f"{first.scope}: {first.detail}", first.retry_after)
    return found


class _Window(NamedTuple):
    """The first and the last day of a response."""

    start: date
    today: date


class _UsageResponse(NamedTuple):
    """A response about one scope.

    Args:
        scope: what it is about.
        digest: of the request and the response: the same means the same figures.
        window: its first and last day.
        usage: gives its figures.
    """

    scope: Scope
    digest: bytes
    window: _Window
    usage: Callable[[], Usage]


class _LastPoll(NamedTuple):
    """Digests of the last successful poll's responses, and its result: small, for each target.

    Args:
        windows: by digest.
        names: of each list, in their order.
        failures: scopes that could not be read.
        result: what it came to.
    """

    windows: tuple[tuple[bytes, _Window], ...]
    names: tuple[dict[str, str], ...]
    failures: tuple[ScopeFailure, ...]
    result: PollResult


class _Api(NamedTuple):
    """The API, with the key as it is at one poll, and the windows of responses that are known."""

    settings: Settings
    key: Secret
    send: Transport
    windows: Mapping[bytes, _Window]

    async def usage(
        self, scope: Scope, start: date | None = None, end: date | None = None
    ) -> _UsageResponse:
        """The usage of a scope; a known response is parsed only if its figures are needed."""
        request = usage_request(self.settings, self.key, scope, start, end)
        if scope.axis != "organization":
            request = replace(request, timeout=scope_timeout(self.settings.poll.timeout))
        body = await self.send(request)
        digest = _digest(body, scope, start, end)
        parse = partial(parse_usage, body, scope, start, end)
        if digest in self.windows:
            return _UsageResponse(scope, digest, self.windows[digest], parse)
        usage = parse()
        return _UsageResponse(scope, digest, _window(usage.start, usage.today), lambda: usage)

    async def names(self, axis: Axis, max_seconds: float | None) -> Names:
        body = await self.send(list_request(self.settings, self.key, axis, max_seconds))
        return parse_names(body, self.key)


def _digest(body: bytes, *request: object) -> bytes:
    """Of a response, and of what was requested."""
    digest = blake2b(repr(request).encode(), digest_size=16)
    digest.update(body)
    return digest.digest()


@lru_cache(maxsize=16)
def _window(start: date, today: date) -> _Window:
    """The same object for nearly all targets."""
    return _Window(start, today)


class _TargetPoller:
    """What is kept from one poll to the next: lists, the first day to request, the last result."""

    __slots__ = ("_last", "_lists", "_settings", "_start")

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._start: date | None = None
        self._last: _LastPoll | None = None
        policy = RefreshPolicy(settings.discovery.interval, settings.poll.timeout, clock)
        parts = _parts(settings)
        # Without `all` a list only gives names, and a poll can do without names.
        self._lists: tuple[tuple[Axis, CachedList[dict[str, str]]], ...] = tuple(
            (axis, CachedList(policy, settings.name, None if parts.get(axis) == "all" else {}))
            for axis in ("organization", *parts)
        )

    async def poll(self, send: Transport, _now: float, /) -> PollResult:
        """Poll once; only the vendor's clock counts."""
        windows = self._last.windows if self._last else ()
        api = _Api(self._settings, self._settings.key.read(), send, dict(windows))
        organization, (today, names, scopes, failures) = await self.discover(api)
        results = await gather_results(api.usage(scope, end=today) for scope in scopes)
        responses = [organization]
        for scope, result in zip(scopes, results, strict=True):
            if isinstance(result, PollError):
                failures.append(_scope_failure(scope, result))
                for _, cached in self._lists:
                    cached.invalidate(result)
            else:
                responses.append(result)
        return self._poll_result(responses, names, tuple(failures))

    def _poll_result(
        self,
        responses: Sequence[_UsageResponse],
        names: Mapping[Axis, dict[str, str]],
        failures: tuple[ScopeFailure, ...],
    ) -> PollResult:
        """What the responses amount to: the last result, where they are the same."""
        windows = tuple((response.digest, response.window) for response in responses)
        key = (windows, tuple(names.values()), failures)
        if self._last is None or key != self._last[:3]:
            usages = {response.scope: response.usage() for response in responses}
            self._last = _LastPoll(*key, poll_result(self._settings, usages, names, failures))
        return self._last.result

    async def discover(self, api: _Api) -> tuple[_UsageResponse, Discovery]:
        """The organization's figures, and what there is in addition."""
        organization = await self._organization_usage(api)
        lists = await gather_results(
            cached.get(partial(self._request_list, api, axis)) for axis, cached in self._lists
        )
        names: dict[Axis, dict[str, str]] = {}
        failures = []
        for (axis, _), result in zip(self._lists, lists, strict=True):
            names[axis] = {} if isinstance(result, PollError) else result
            if isinstance(result, PollError):
                failures.append(_list_failure(axis, result))
        found = Discovery(organization.window.today, names, list(self._scopes(names)), failures)
        return organization, found

    async def _organization_usage(self, api: _Api) -> _UsageResponse:
        """The organization's figures, back to where its allowance began.

        Only the vendor knows its current day. So the first poll finds out in a second request
        whether the allowance began before the usual window; later polls need one request.
        """
        scope = Scope("organization", self._settings.organization)
        response = await api.usage(scope, self._start)
        if self._settings.allowance:
            first, _ = self._settings.allowance.bounds(response.window.today)
            if first < response.window.start and first != self._start:
                self._start = first
                response = await api.usage(scope, first)
        return response

    async def _request_list(
        self, api: _Api, axis: Axis, max_seconds: float | None
    ) -> dict[str, str]:
        names, skipped = await api.names(axis, max_seconds)
        warn_if_skipped(skipped, AXES[axis].listed, self._settings.name)
        if _parts(self._settings).get(axis) == "all":
            self._settings.discovery.warn_if_limited(names, AXES[axis].listed, self._settings.name)
        return names

    def _scopes(self, names: Mapping[Axis, Mapping[str, str]]) -> Iterator[Scope]:
        for axis, wanted in _parts(self._settings).items():
            selected = self._settings.discovery.select(names[axis]) if wanted == "all" else wanted
            yield from (Scope(axis, identifier) for identifier in selected)


def _parts(settings: Settings) -> dict[Axis, Scopes]:
    """The axes that are wanted in addition to the organization."""
    wanted: dict[Axis, Scopes] = {
        "workspace": settings.workspaces,
        "documentType": settings.document_types,
    }
    return {axis: scopes for axis, scopes in wanted.items() if scopes != "none"}


def _scope_failure(scope: Scope, error: PollError) -> ScopeFailure:
    return ScopeFailure(
        describe(scope),
        error.reason,
        error.detail,
        AXES[scope.axis].label,
        scope.identifier,
        error.retry_after,
    )


def _list_failure(axis: Axis, error: PollError) -> ScopeFailure:
    return ScopeFailure(
        f"list of {AXES[axis].listed}",
        error.reason,
        error.detail,
        AXES[axis].label,
        "",
        error.retry_after,
    )
