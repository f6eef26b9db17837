"""Scopes that a vendor's lists name: asked for on a slow rhythm, filtered, limited, kept."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from pydantic import Field

from exporter.config.models import Model
from exporter.config.types import Duration
from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_log = logging.getLogger(__name__)
_SOONER: Final = 1 / 24  # of the interval, after a failure
_LIST_TIMEOUT: Final = 1 / 4  # of the poll's timeout, for a list that the poll can do without
_GONE: Final = frozenset(
    {FailureReason.CLIENT_ERROR, FailureReason.AUTH, FailureReason.VENDOR_ERROR}
)
T = TypeVar("T")


class DiscoverySettings(Model):
    """How scopes and their names are found through the vendor's lists."""

    interval: Duration = Duration(6 * 3600)
    """Time from one look at the lists to the next."""

    include: tuple[str, ...] = ()
    """Names to take for `all`, with `*` and `?`; without any, every name."""

    exclude: tuple[str, ...] = ()
    """Names to leave out for `all`; stronger than `include`."""

    max_scopes: int = Field(100, ge=1, le=10_000)
    """At most so many of a kind for `all`, since each is a request per poll."""

    def chosen(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """The identifiers to poll out of `names` (identifier to name), in a stable order."""
        return tuple(self._wanted(names)[: self.max_scopes])

    def warn_of_more(self, names: Mapping[str, str], kind: str, target: str) -> None:
        """Say so where `names` has more than will be polled."""
        wanted = len(self._wanted(names))
        if wanted > self.max_scopes:
            _log.warning(
                "more %s than discovery.max_scopes: only the first %d of %d are polled",
                kind,
                self.max_scopes,
                wanted,
                extra={"target": target},
            )

    def _wanted(self, names: Mapping[str, str]) -> list[str]:
        return sorted(
            identifier
            for identifier, name in names.items()
            if (not self.include or _matches(name, self.include))
            and not _matches(name, self.exclude)
        )


default_discovery: Final = cache(DiscoverySettings)
"""Gives what counts for a target that tells nothing of it: one and the same for all of them."""


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


class RefreshPolicy(NamedTuple):
    """When lists are looked at.

    Args:
        interval: seconds between two looks.
        timeout: seconds for a whole poll.
        clock: monotonic seconds.
    """

    interval: float
    timeout: float
    clock: Callable[[], float]

    @property
    def list_timeout(self) -> float:
        """Seconds that the reply may take where the poll can do without it."""
        return self.timeout * _LIST_TIMEOUT


class CachedList(Generic[T]):
    """A vendor's list, asked for once an interval; where that fails, the last one is kept.

    Args:
        looks: when to ask.
        target: whose list it is, for the log.
        otherwise: what serves until the list was read for the first time, if anything does.
    """

    __slots__ = ("_due", "_known", "_refresh_policy", "_target")

    def __init__(self, policy: RefreshPolicy, target: str, otherwise: T | None = None) -> None:
        self._refresh_policy = policy
        self._target = target
        self._known = otherwise
        self._due = float("-inf")

    async def get(self, ask: Callable[[float | None], Awaitable[T]]) -> T:
        """The list, asked for anew where that is due.

        Args:
            ask: asks for it, with the seconds that it may take, or None.

        Raises:
            PollError: as `ask` does, while there is nothing to fall back on.
        """
        now = self._refresh_policy.clock()
        if self._known is not None and now < self._due:
            return self._known
        if self._known is None:
            self._known = await ask(None)
            self._due = now + self._refresh_policy.interval
            return self._known
        try:
            self._known = await ask(self._refresh_policy.list_timeout)
            self._due = now + self._refresh_policy.interval
        except PollError as error:
            self._due = now + self._refresh_policy.interval * _SOONER
            _log.warning(
                "a list cannot be read, the last one is kept",
                extra={"target": self._target, "reason": error.reason, "detail": error.detail},
            )
        return self._known

    def invalidate(self, error: PollError) -> None:
        """Ask at the next chance if `error` is what a vendor answers about a scope that is gone."""
        if error.reason in _GONE:
            self._due = float("-inf")
