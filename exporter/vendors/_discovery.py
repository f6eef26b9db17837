"""Scopes that a vendor's lists name: asked for on a slow rhythm, filtered, limited, kept."""

from __future__ import annotations

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pydantic import Field

from exporter.config.fields import Duration
from exporter.config.models import Model
from exporter.records import PollError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_log = logging.getLogger(__name__)
_SOONER: Final = 1 / 24  # of the interval, after a failure
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

    def chosen(self, names: Mapping[str, str], kind: str, target: str) -> tuple[str, ...]:
        """The identifiers to poll out of `names` (identifier to name), in a stable order."""
        wanted = sorted(
            identifier
            for identifier, name in names.items()
            if (not self.include or _matches(name, self.include))
            and not _matches(name, self.exclude)
        )
        if len(wanted) > self.max_scopes:
            _log.warning(
                "more %s than discovery.max_scopes: only the first %d of %d are polled",
                kind,
                self.max_scopes,
                len(wanted),
                extra={"target": target},
            )
        return tuple(wanted[: self.max_scopes])


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


class Remembered(Generic[T]):
    """Something asked for once an interval; where that fails, what was last found is kept."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._due = float("-inf")
        self._found: T | None = None

    async def get(self, ask: Callable[[], Awaitable[T]], otherwise: T | None = None) -> T:
        """What was found, asked for anew where that is due.

        Raises:
            PollError: as `ask` does, while nothing was ever found and there is no `otherwise`.
        """
        now = asyncio.get_running_loop().time()
        if self._found is None or now >= self._due:
            try:
                self._found = await ask()
                self._due = now + self._interval
            except PollError as error:
                self._found = otherwise if self._found is None else self._found
                if self._found is None:
                    raise
                self._due = now + self._interval * _SOONER
                _log.warning("a list cannot be read, the last one is kept: %s", error)
        return self._found

    def expire(self) -> None:
        """Ask at the next chance: what was found no longer fits."""
        self._due = float("-inf")
