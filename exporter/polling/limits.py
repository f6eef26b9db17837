"""The limits that all polls share: a request rate for each host, and a number of slots."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import ExitStack, asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SLOT_TIMEOUT: Final = 1.0  # seconds after which a poll that is still waiting frees its slot


class RateLimiter:
    """Spaces the requests to each host evenly, without bursts.

    Args:
        requests_per_second: for each host; a change takes effect with the next request.
    """

    def __init__(self, requests_per_second: float) -> None:
        self.requests_per_second = requests_per_second
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._last_request: dict[str, float] = {}

    async def acquire(self, host: str) -> None:
        """Wait, first come first served, until a request to `host` may start.

        A request is counted once its wait is over: a cancelled wait delays no other request.
        """
        async with self._locks[host]:
            await self._wait(host)
            self._last_request[host] = asyncio.get_running_loop().time()

    async def wait_idle(self, host: str) -> None:
        """Wait until all requests that wait now have started and another one could start."""
        async with self._locks[host]:
            await self._wait(host)

    async def _wait(self, host: str) -> None:
        free_at = self._last_request.get(host, -inf) + 1 / self.requests_per_second
        left = free_at - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)


class PollSlots:
    """Bounds the number of polls that are starting, and shares the slots between hosts.

    The polls of a host start one after the other, each when the rate limiter would let its first
    request through: polls that the rate limit delays occupy no slots.

    Args:
        max_concurrent: number of slots; a change takes effect when the next slot is freed.
        rate_limiter: delays the requests of all polls.
    """

    def __init__(self, max_concurrent: int, rate_limiter: RateLimiter) -> None:
        self.max_concurrent = max_concurrent
        self.rate_limiter = rate_limiter
        self._starting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next_poll = asyncio.Lock()
        self._freed = asyncio.Event()
        self._in_use = 0

    @asynccontextmanager
    async def acquire(self, host: str) -> AsyncIterator[None]:
        """Hold a slot for a poll of `host`, for at most `SLOT_TIMEOUT`.

        After that the poll goes on without it: hung vendors do not delay the targets of others.
        """
        async with self._starting[host]:
            await self.rate_limiter.wait_idle(host)
            await self._wait_for_slot()
        with ExitStack() as slot:
            slot.callback(self._free)
            timer = asyncio.get_running_loop().call_later(SLOT_TIMEOUT, slot.close)
            slot.callback(timer.cancel)
            yield

    async def _wait_for_slot(self) -> None:
        async with self._next_poll:
            while self._in_use >= self.max_concurrent:
                self._freed.clear()
                await self._freed.wait()
            self._in_use += 1

    def _free(self) -> None:
        self._in_use -= 1
        self._freed.set()
