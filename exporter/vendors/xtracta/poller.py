"""Polls an Xtracta target: a request for each group, and now and then one for their names."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from exporter.model import PollError
from exporter.vendors.common.concurrency import gather_or_fail, with_context
from exporter.vendors.common.discovery import CachedList, RefreshPolicy
from exporter.vendors.xtracta.api import groups_request, parse_groups, parse_usage, usage_request
from exporter.vendors.xtracta.mapper import poll_result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.model import PollResult
    from exporter.secrets import Secret
    from exporter.vendors.base import Poller, Transport
    from exporter.vendors.xtracta.api import Group, Usage
    from exporter.vendors.xtracta.settings import Settings

Tree = dict[str, "Group"]  # every group by its id


def create_poller(settings: Settings, clock: Callable[[], float] = time.monotonic) -> Poller:
    """What polls this target; `clock` gives the monotonic seconds by which lists are renewed."""
    return _Connection(settings, clock).fetch


class _Api(NamedTuple):
    """The API, with the key as it is at one poll."""

    settings: Settings
    key: Secret
    send: Transport

    async def usage(self, group: int | None) -> Usage:
        request = usage_request(self.settings, self.key, group)
        return parse_usage(await self.send(request), self.key, group)

    async def tree(self, max_seconds: float | None) -> Tree:
        body = await self.send(groups_request(self.settings, self.key, max_seconds))
        return parse_groups(body, self.key)


class _Connection:
    """What is kept from one poll of a target to the next: the tree of its groups."""

    __slots__ = ("_is_walking", "_settings", "_tree")

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._is_walking = settings.groups == "all"
        policy = RefreshPolicy(settings.discovery.interval, settings.poll.timeout, clock)
        # Without `all` the tree only gives names, and a poll can do without names.
        otherwise: Tree | None = None if self._is_walking else {}
        self._tree = CachedList(policy, settings.name, otherwise)

    async def fetch(self, send: Transport, now: float) -> PollResult:
        """Poll once; a plan's pace is taken up to `now`."""
        api = _Api(self._settings, self._settings.key.read(), send)
        groups = await self._groups(api)
        try:
            usages = await gather_or_fail(
                with_context(_in_words(group), api.usage(group)) for group in groups
            )
        except PollError as error:
            self._tree.invalidate(error)
            raise
        names = await self._tree.get(partial(self._listed, api))
        return poll_result(dict(zip(groups, usages, strict=True)), names, now)

    async def _groups(self, api: _Api) -> tuple[int | None, ...]:
        """The groups to ask for; None means the key's own."""
        wanted = self._settings.groups
        if wanted == "own":
            return (None,)
        if wanted == "all":
            tree = await self._tree.get(partial(self._listed, api))
            return tuple(map(int, self._settings.discovery.chosen(_names(tree))))
        return wanted

    async def _listed(self, api: _Api, max_seconds: float | None) -> Tree:
        tree = await api.tree(max_seconds)
        if self._is_walking:
            self._settings.discovery.warn_of_more(_names(tree), "groups", self._settings.name)
        return tree


def _names(tree: Mapping[str, Group]) -> dict[str, str]:
    return {identifier: group.name for identifier, group in tree.items()}


def _in_words(group: int | None) -> str:
    return "the key's own group" if group is None else f"group {group}"
