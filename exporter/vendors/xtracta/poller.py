"""Polls an Xtracta target: a request for each group; rarely, for their names and their past."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY_SECONDS
from exporter.model import PollError, malformed_response
from exporter.vendors.common.concurrency import gather_or_fail, gather_results
from exporter.vendors.common.discovery import (
    SCOPE_TIMEOUT,
    CachedList,
    RefreshPolicy,
    warn_if_skipped,
)
from exporter.vendors.common.scope_failures import poll_error, scope_failure
from exporter.vendors.xtracta.api import (
    Group,
    groups_request,
    parse_groups,
    parse_usage,
    usage_request,
)
from exporter.vendors.xtracta.mapper import EarlierPeriods, describe, poll_result
from exporter.vendors.xtracta.periods import (
    PAST_SECONDS,
    PreviousPeriod,
    history_request,
    parse_history,
    previous_period,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.model import PollResult, ScopeFailure
    from exporter.secrets import Secret
    from exporter.vendors.base import Poller, Transport
    from exporter.vendors.xtracta.api import Plan, Usage
    from exporter.vendors.xtracta.settings import Settings

Tree = dict[str, Group]  # every group by its id
Periods = dict[tuple[str, str], PreviousPeriod]  # by group and id of the plan

_PAST_INTERVAL: Final = DAY_SECONDS  # seconds from one request for past periods to the next


def create_poller(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Poller:
    """The poller of this target.

    Args:
        settings: the target.
        clock: monotonic seconds, by which lists are refreshed.
    """
    return _TargetPoller(settings, clock).poll


class Reading(NamedTuple):
    """What the responses about the groups of a target say.

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
    poller = _TargetPoller(settings, time.monotonic)
    return await poller.read(_Api(settings, settings.key.read(), send))


class _Api(NamedTuple):
    """The API, with the key as it is at one poll."""

    settings: Settings
    key: Secret
    send: Transport

    async def usage(self, group: int | None, max_seconds: float | None) -> Usage:
        request = usage_request(self.settings, self.key, group, max_seconds)
        return parse_usage(await self.send(request), self.key, group)

    async def past(
        self, group: str, plans: Iterable[Plan], now: float, max_seconds: float | None
    ) -> Periods:
        """The period before the present one of each of these plans, as far as there is one."""
        request = history_request(self.settings, self.key, group, now - PAST_SECONDS, now)
        body = await self.send(replace(request, timeout=max_seconds))
        periods = parse_history(body, self.key, group)
        found = {(group, plan.identifier): previous_period(plan, periods) for plan in plans}
        return {plan: period for plan, period in found.items() if period}


class _TargetPoller:
    """What one poll of a target leaves to the next: the tree of its groups, and the past."""

    __slots__ = ("_finds_groups", "_past", "_past_policy", "_settings", "_tree")

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        # By group, and by its plans with the start of their present periods.
        self._past: dict[tuple[str, frozenset[tuple[str, float | None]]], CachedList[Periods]] = {}
        self._past_policy = RefreshPolicy(_PAST_INTERVAL, settings.poll.timeout, clock)
        self._finds_groups = settings.groups == "all"
        policy = RefreshPolicy(settings.discovery.interval, settings.poll.timeout, clock)
        # Without `all` the tree only gives names, and a poll can do without names.
        default: Tree | None = None if self._finds_groups else {}
        self._tree = CachedList(policy, settings.name, default)

    async def poll(self, send: Transport, now: float, /) -> PollResult:
        """Poll once; the mean use of a plan is up to `now`."""
        api = _Api(self._settings, self._settings.key.read(), send)
        reading = await self.read(api)
        earlier = await self._earlier_periods(api, reading.plans, now)
        return poll_result(reading.usages, reading.names, now, tuple(reading.failures), earlier)

    async def read(self, api: _Api) -> Reading:
        """Request every group, and their names where that is due."""
        groups = await self._groups(api)
        # A target with one group can do with nothing less: its request has all of the poll's time.
        seconds = self._settings.poll.timeout * SCOPE_TIMEOUT if len(groups) > 1 else None
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
                failures.append(_scope_failure(group, _no_plan()))
        if not usages:  # earlier values stay until stale
            raise poll_error(failures[0]) if failures else _no_plan()
        return Reading(usages, await self._tree.get(partial(self._request_tree, api)), failures)

    async def _earlier_periods(
        self, api: _Api, plans: Iterable[Plan], now: float
    ) -> EarlierPeriods:
        """The periods before the present ones: requested daily, and when a plan's period changes.

        A failure costs only this knowledge.
        """
        groups: dict[str, list[Plan]] = {}
        for plan in plans:
            if plan.kind == "plan" and plan.start is not None:
                groups.setdefault(plan.group, []).append(plan)
        known, self._past = self._past, {}
        for group, present in groups.items():
            key = group, frozenset((plan.identifier, plan.start) for plan in present)
            self._past[key] = known.get(key) or CachedList(
                self._past_policy, self._settings.name, {}
            )
        found = await gather_or_fail(
            cached.get(partial(api.past, group, groups[group], now))
            for (group, _), cached in self._past.items()
        )
        return EarlierPeriods(
            {plan: period for periods in found for plan, period in periods.items()},
            tuple(
                f"past periods of {describe(group)} cannot be read: "
                f"{cached.error.reason}: {cached.error.detail}"
                for (group, _), cached in self._past.items()
                if cached.error
            ),
            self._settings.renews,
        )

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
        body = await api.send(groups_request(self._settings, api.key, max_seconds))
        tree, skipped = parse_groups(body, api.key)
        warn_if_skipped(skipped, "groups", self._settings.name)
        if self._finds_groups:
            self._settings.discovery.warn_if_limited(_names(tree), "groups", self._settings.name)
        return tree


def _no_plan() -> PollError:
    return malformed_response("the response has no plan and no pack")


def _names(tree: Mapping[str, Group]) -> dict[str, str]:
    return {identifier: group.name for identifier, group in tree.items()}


def _scope_failure(group: int | None, error: PollError) -> ScopeFailure:
    return scope_failure(describe(group), "group_id", str(group), error)
