"""Polls an Xtracta target: a request for each group, and now and then one for their names."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from exporter.model import FailureReason, PollError, ScopeFailure, malformed_response
from exporter.vendors.common.concurrency import gather_results
from exporter.vendors.common.discovery import (
    CachedList,
    RefreshPolicy,
    scope_timeout,
    warn_if_skipped,
)
from exporter.vendors.xtracta.api import (
    Group,
    Groups,
    groups_request,
    parse_groups,
    parse_usage,
    usage_request,
)
from exporter.vendors.xtracta.mapper import NO_PLAN, describe, poll_result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.model import PollResult
    from exporter.secrets import Secret
    from exporter.vendors.base import Poller, Transport
    from exporter.vendors.xtracta.api import Plan, Usage
    from exporter.vendors.xtracta.settings import Settings

Tree = dict[str, Group]  # every group by its id


def create_poller(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Poller:
    """The poller of this target.

    Args:
        settings: the target.
        clock: monotonic seconds, by which lists are refreshed.
    """
    return _TargetPoller(settings, clock).poll


class Reading(NamedTuple):
    """What the replies about the groups of a target say.

    Args:
        usages: by the group requested; None means the key's own.
        names: of every group, by id.
        failures: groups that could not be read.
    """

    usages: dict[int | None, Usage]
    names: Tree
    failures: list[ScopeFailure]

    @property
    def plans(self) -> list[Plan]:
        """Every plan and pack."""
        return [plan for usage in self.usages.values() for plan in usage.plans]


async def read_groups(settings: Settings, send: Transport) -> Reading:
    """The plans that there are now; the groups are those of a poll.

    Raises:
        PollError: no group can be read, or none has a plan.
    """
    reading = await _TargetPoller(settings, time.monotonic).read(send)
    if not reading.plans:
        raise malformed_response(NO_PLAN)
    return reading


class _Api(NamedTuple):
    """The API, with the key as it is at one poll."""

    settings: Settings
    key: Secret
    send: Transport

    async def usage(self, group: int | None, max_seconds: float | None) -> Usage:
        request = replace(usage_request(self.settings, self.key, group), timeout=max_seconds)
        return parse_usage(await self.send(request), self.key, group)

    async def groups(self, max_seconds: float | None) -> Groups:
        body = await self.send(groups_request(self.settings, self.key, max_seconds))
        return parse_groups(body, self.key)


class _TargetPoller:
    """What is kept from one poll of a target to the next: the tree of its groups."""

    __slots__ = ("_finds_groups", "_settings", "_tree")

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._finds_groups = settings.groups == "all"
        policy = RefreshPolicy(settings.discovery.interval, settings.poll.timeout, clock)
        # Without `all` the tree only gives names, and a poll can do without names.
        default: Tree | None = None if self._finds_groups else {}
        self._tree = CachedList(policy, settings.name, default)

    async def poll(self, send: Transport, now: float, /) -> PollResult:
        """Poll once; the mean use of a plan is up to `now`."""
        usages, names, failures = await self.read(send)
        return poll_result(usages, names, now, tuple(failures), renews=self._settings.renews)

    async def read(self, send: Transport) -> Reading:
        """Request every group, and their names where that is due."""
        api = _Api(self._settings, self._settings.key.read(), send)
        groups = await self._groups(api)
        # A target with one group can do with nothing less: its request has all of the poll's time.
        seconds = scope_timeout(self._settings.poll.timeout) if len(groups) > 1 else None
        results = await gather_results(api.usage(group, seconds) for group in groups)
        usages: dict[int | None, Usage] = {}
        failures = []
        for group, result in zip(groups, results, strict=True):
            if isinstance(result, PollError):
                self._tree.invalidate(result)
                failures.append(_scope_failure(group, result))
            elif result.plans:
                usages[group] = result
            elif not self._finds_groups:
                failures.append(_scope_failure(group, PollError(FailureReason.MALFORMED, NO_PLAN)))
        if failures and not usages:
            first = failures[0]
            raise PollError(first.reason, f"{first.scope}: {first.detail}", first.retry_after)
        return Reading(usages, await self._tree.get(partial(self._request_tree, api)), failures)

    async def _groups(self, api: _Api) -> tuple[int | None, ...]:
        """The groups to request; None means the key's own."""
        wanted = self._settings.groups
        if wanted == "own":
            return (None,)
        if wanted == "all":
            tree = await self._tree.get(partial(self._request_tree, api))
            return tuple(map(int, self._settings.discovery.select(_names(tree))))
        return wanted

    async def _request_tree(self, api: _Api, max_seconds: float | None) -> Tree:
        tree, skipped = await api.groups(max_seconds)
        warn_if_skipped(skipped, "groups", self._settings.name)
        if self._finds_groups:
            self._settings.discovery.warn_if_limited(_names(tree), "groups", self._settings.name)
        return tree


def _names(tree: Mapping[str, Group]) -> dict[str, str]:
    return {identifier: group.name for identifier, group in tree.items()}


def _scope_failure(group: int | None, error: PollError) -> ScopeFailure:
    return ScopeFailure(
        describe(group), error.reason, error.detail, "group_id", str(group), error.retry_after
    )
