"""One poll of one target, within its timeout and the rate limit."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from exporter.logging import describe_exception
from exporter.model import FailureReason, PollError, PollFailure, PollResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.client.client import Request
    from exporter.config.models import Target
    from exporter.polling.limits import RateLimiter
    from exporter.vendors.base import Poller, Transport


class PollTarget(NamedTuple):
    """A target, its vendor's poller, and the transport for its requests."""

    target: Target
    poller: Poller
    transport: Transport

    @property
    def host(self) -> str:
        """The API host, as in `Request.host`."""
        return urlsplit(self.target.address).netloc


class PollAttempt(NamedTuple):
    """The result of one poll, its duration in seconds, and the requests it made."""

    result: PollResult | PollFailure
    duration: float
    requests: int


async def poll_once(
    poll_target: PollTarget, rate_limiter: RateLimiter, now: Callable[[], float]
) -> PollAttempt:
    """Poll a target; no error of the vendor or the mapping is raised.

    All requests share the target's timeout. Time spent waiting for the rate limit does not count.

    Args:
        poll_target: what to poll.
        rate_limiter: delays each request.
        now: Unix seconds.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    seconds = float(poll_target.target.poll.timeout)
    requests = 0

    async def rate_limited_send(request: Request) -> bytes:
        nonlocal requests
        with deadline.paused():
            await rate_limiter.acquire(request.host)
        requests += 1
        return await poll_target.transport(request)

    result: PollResult | PollFailure
    try:
        async with asyncio.timeout(seconds) as timeout:
            deadline = _PausableDeadline(timeout)
            result = await poll_target.poller(rate_limited_send, now())
    except PollError as error:
        result = error.failure
    except TimeoutError:
        result = PollFailure(FailureReason.TIMEOUT, f"not complete within {seconds:g} seconds")
    except Exception as error:  # noqa: BLE001  no response may end more than this poll
        result = PollFailure(FailureReason.INTERNAL, f"unexpected {describe_exception(error)}")
    return PollAttempt(result, loop.time() - started, requests)


class _PausableDeadline:
    """Stops a timeout while any of its requests is paused; overlapping pauses count once."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._pauses = 0
        self._left = 0.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock within `with`."""
        loop = asyncio.get_running_loop()
        if not self._pauses and not self._timeout.expired():
            self._left = (self._timeout.when() or loop.time()) - loop.time()
            self._timeout.reschedule(None)
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses and not self._timeout.expired():
                self._timeout.reschedule(loop.time() + self._left)
