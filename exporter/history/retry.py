"""Requests that keep to the rate limit, and are retried after transient failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from exporter.client.client import Request
    from exporter.polling.limits import RateLimiter
    from exporter.vendors.base import Transport

RETRY_DELAYS: Final = (2.0, 8.0, 30.0)  # seconds before the second, third and fourth attempt
MAX_RETRY_AFTER: Final = 300.0  # seconds; a longer Retry-After ends the attempts
_TRANSIENT: Final = frozenset(
    {
        FailureReason.CONNECT,
        FailureReason.DNS,
        FailureReason.RATE_LIMITED,
        FailureReason.SERVER_ERROR,
        FailureReason.TIMEOUT,
    }
)


def with_retry(send: Transport, rate_limiter: RateLimiter, timeout: float) -> Transport:
    """A transport that keeps to the rate limit and makes up to four attempts.

    Args:
        send: makes one request.
        rate_limiter: limits the requests to each host.
        timeout: seconds for one attempt.
    """

    async def send_with_retry(request: Request) -> bytes:
        for delay in RETRY_DELAYS:
            try:
                return await attempt(request)
            except PollError as error:
                retry_after = error.retry_after or 0.0
                if error.reason not in _TRANSIENT or retry_after > MAX_RETRY_AFTER:
                    raise
                await asyncio.sleep(max(delay, retry_after))
        return await attempt(request)

    async def attempt(request: Request) -> bytes:
        await rate_limiter.acquire(request.host)
        try:
            async with asyncio.timeout(timeout):
                return await send(request)
        except TimeoutError:
            detail = f"no response within {timeout:g} seconds"
            raise PollError(FailureReason.TIMEOUT, detail) from None

    return send_with_retry
