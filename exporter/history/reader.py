"""Reads the history of targets, one request after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.history.retry import with_retry
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from exporter.client.client import HttpClient
    from exporter.config.models import Target
    from exporter.history.progress import Progress
    from exporter.polling.limits import RateLimiter
    from exporter.vendors.base import History, HistoryQuery


class HistoryReader:
    """Reads the history of targets.

    Args:
        client: makes the requests.
        rate_limiter: limits the requests to each host.
        progress: is updated.
    """

    def __init__(self, client: HttpClient, rate_limiter: RateLimiter, progress: Progress) -> None:
        self._client = client
        self._rate_limiter = rate_limiter
        self.progress = progress

    async def read(self, target: Target, query: HistoryQuery, done: int) -> AsyncGenerator[Any]:
        """The parts of a target's history; see `History.read`.

        Args:
            target: its vendor has a history.
            query: what to read.
            done: how many targets were read before, for the progress.

        Raises:
            PollError: a request failed for good.
        """
        self.progress.show(done, target.name)
        send = with_retry(
            self._client.transport(target.http), self._rate_limiter, target.poll.timeout
        )
        scopes = 0
        async for past in history_of(target).read(target, send, query):
            yield past
            scopes += 1
            self.progress.show(done, target.name, scopes)


def history_of(target: Target) -> History[Any]:
    """The history of the target's vendor, which must have one."""
    history = VENDORS[target.vendor].history
    assert history is not None  # noqa: S101  `select_targets` refuses the others
    return history
