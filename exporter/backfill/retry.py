"""Asking a vendor many questions: at its pace, and again where one fails for a passing reason."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.client.client import Request
    from exporter.polling.limits import RateLimiter
    from exporter.vendors.base import Transport

WAITS: Final = (2.0, 8.0, 30.0)  # seconds before the second, third and fourth try
LONGEST_WAIT: Final = 300.0  # seconds; a vendor that asks for more is left alone
_PASSING: Final = frozenset(
    {
        FailureReason.CONNECT,
        FailureReason.DNS,
        FailureReason.RATE_LIMITED,
        FailureReason.SERVER_ERROR,
        FailureReason.TIMEOUT,
    }
)


def with_retry(
    send: Transport,
    rate_limiter: RateLimiter,
    timeout: float,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Transport:
    """A way out through `send` that keeps to the limits and tries up to four times.

    Args:
        send: makes one call.
        rate_limiter: delays each request.
        timeout: seconds for one call.
        sleep: waits so many seconds.
    """

    async def ask(request: Request) -> bytes:
        for wait in WAITS:
            try:
                return await once(request)
            except PollError as error:
                asked = error.retry_after or 0.0
                if error.reason not in _PASSING or asked > LONGEST_WAIT:
                    raise
                await sleep(max(wait, asked))
        return await once(request)

    async def once(request: Request) -> bytes:
        await rate_limiter.acquire(request.host)
        try:
            async with asyncio.timeout(timeout):
                return await send(request)
        except TimeoutError:
            words = f"no reply within {timeout:g} seconds"
            raise PollError(FailureReason.TIMEOUT, words) from None

    return ask
