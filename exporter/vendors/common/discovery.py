"""Scopes that a vendor's lists name: requested rarely, filtered, limited, cached."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from pydantic import Field

from exporter.config.models import Model
from exporter.config.types import Duration
from exporter.model import FailureReason, PollError, PollFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_log = logging.getLogger(__name__)
_RETRY: Final = 1 / 24  # of the interval, after a failure
_LIST_TIMEOUT: Final = 1 / 4  # of the poll's timeout, for a list that the poll can do without
SCOPE_TIMEOUT: Final = 1 / 2
"""Of the poll's timeout: as much as one scope may take, so that a slow one costs only itself."""

_REMOVED: Final = frozenset(
    {FailureReason.CLIENT_ERROR, FailureReason.AUTH, FailureReason.VENDOR_ERROR}
)
T = TypeVar("T")


class DiscoverySettings(Model):
    """How scopes and their names are found through the vendor's lists."""

    interval: Duration = Duration(6 * 3600)
    """Time from one request for the lists to the next."""

    include: tuple[str, ...] = ()
    """Names to take for `all`, with `*` and `?`; without any, every name."""

    exclude: tuple[str, ...] = ()
    """Names to leave out for `all`; stronger than `include`."""

    max_scopes: int = Field(100, ge=1, le=10_000)
    """At most so many of a kind for `all`, since each is a request per poll."""

    def select(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """The identifiers to poll out of `names` (identifier to name), in a stable order."""
        return tuple(self._matching(names)[: self.max_scopes])

    def warn_if_limited(self, names: Mapping[str, str], kind: str, target: str) -> None:
        """Log a warning where `names` has more than will be polled."""
        count = len(self._matching(names))
        if count > self.max_scopes:
            _log.warning(
                "more %s than discovery.max_scopes: only the first %d of %d are polled",
                kind,
                self.max_scopes,
                count,
                extra={"target": target},
            )

    def _matching(self, names: Mapping[str, str]) -> list[str]:
        return sorted(
            identifier
            for identifier, name in names.items()
            if (not self.include or _matches(name, self.include))
            and not _matches(name, self.exclude)
        )


default_discovery: Final = cache(DiscoverySettings)
"""The settings of targets without any of their own: all of them share one object."""


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


class RefreshPolicy(NamedTuple):
    """When lists are requested.

    Args:
        interval: seconds between two requests.
        timeout: seconds for a whole poll.
        clock: monotonic seconds.
    """

    interval: float
    timeout: float
    clock: Callable[[], float]


class CachedList(Generic[T]):
    """A vendor's list, requested once an interval; where that fails, the last one is used.

    Args:
        policy: when to request it.
        target: whose list it is, for the log.
        default: used until the list was read for the first time, if anything is.

    Attributes:
        error: why the last request failed, if it did and there is a list to fall back on.
    """

    __slots__ = ("_due", "_policy", "_target", "_value", "error")

    def __init__(self, policy: RefreshPolicy, target: str, default: T | None = None) -> None:
        self._policy = policy
        self._target = target
        self._value = default
        self._due = float("-inf")
        self.error: PollFailure | None = None

    async def get(self, request: Callable[[float | None], Awaitable[T]]) -> T:
        """The list, requested where that is due.

        Args:
            request: requests it, given the seconds that it may take (None: as many as the poll).

        Raises:
            PollError: as `request` does, while there is no list to fall back on.
        """
        now = self._policy.clock()
        if self._value is not None and now < self._due:
            return self._value
        # Also where the poll's own timeout ends the request: it must not do so at every poll.
        self._due = now + self._policy.interval * _RETRY
        timeout = None if self._value is None else self._policy.timeout * _LIST_TIMEOUT
        try:
            self._value = await request(timeout)
            self._due = now + self._policy.interval
            self.error = None
        except PollError as error:
            if self._value is None:
                raise
            if error.failure != self.error:
                _log.warning(
                    "a list cannot be read, the last one is used",
                    extra={"target": self._target, "reason": error.reason, "detail": error.detail},
                )
            self.error = error.failure
        return self._value

    def invalidate(self, error: PollError) -> None:
        """Request the list sooner if `error` is how a vendor responds about a removed scope."""
        if error.reason in _REMOVED:
            self._due = min(self._due, self._policy.clock() + self._policy.interval * _RETRY)


def warn_if_skipped(count: int, kind: str, target: str) -> None:
    """Log a warning where entries of a list had to be left out."""
    if count:
        _log.warning(
            "%d entries of the list of %s cannot be read and are left out",
            count,
            kind,
            extra={"target": target},
        )
