"""One poll of a target, and the limits that all polls share."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import urlsplit

from exporter.logging import describe_exception
from exporter.model import FailureReason, PollError, PollFailure, PollResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.client.client import Request
    from exporter.config.models import Target
    from exporter.vendors import Poller, Transport

CREDENTIAL_FAILURES: Final = (FailureReason.AUTH, FailureReason.SECRET)
PATIENCE: Final = 1.0  # seconds after which a poll that still waits lets another one start
LATE: Final = 0.05  # seconds after its time at which a timer tells that the program is too busy


class Slot:
    """A place among the polls that are starting: held within `with`, or for `PATIENCE`."""

    __slots__ = ("_slots", "_timer")

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._timer: asyncio.TimerHandle | None = None
        self._be_patient()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def _be_patient(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + PATIENCE
        self._timer = loop.call_at(due, self._run_out, due)

    def _run_out(self, due: float) -> None:
        """Let another poll start, unless it is this program that all are waiting for."""
        if asyncio.get_running_loop().time() - due > LATE:
            self._be_patient()
        else:
            self.give_back()

    def give_back(self) -> None:
        """Let another poll start; a second time it does nothing."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._slots.release()


class Limits:
    """What all polls together may use.

    Args:
        max_concurrent: polls that may be starting at the same time. One that still waits for its
            vendor after `PATIENCE` no longer counts: hung vendors hold up no other's targets.
        requests_per_second: for each API host.
    """

    def __init__(self, max_concurrent: int, requests_per_second: float) -> None:
        self._slots = asyncio.Semaphore(max_concurrent)
        self._gap = 1 / requests_per_second
        self._queues: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._free_at: dict[str, float] = {}

    async def slot(self) -> Slot:
        """One of the slots, once there is one."""
        await self._slots.acquire()
        return Slot(self._slots)

    async def lull(self, host: str) -> None:
        """Wait until all who wait now have had their turn, and another request might start."""
        async with self._queues[host]:
            await self._until_free(host)

    async def turn(self, host: str) -> None:
        """Wait, first come first served, until a request to `host` may start.

        A turn is taken when it has come: whoever gives up waiting holds up nobody.
        """
        async with self._queues[host]:
            await self._until_free(host)
            self._free_at[host] = asyncio.get_running_loop().time() + self._gap

    async def _until_free(self, host: str) -> None:
        wait = self._free_at.get(host, 0.0) - asyncio.get_running_loop().time()
        if wait > 0:  # else all who come meanwhile would have to queue, for nothing
            await asyncio.sleep(wait)


class PollTarget(NamedTuple):
    """A target, what polls it, and its way out."""

    target: Target
    fetch: Poller
    send: Transport

    @property
    def host(self) -> str:
        """The host that is asked, as in `Request.host`."""
        return urlsplit(self.target.address).netloc


class PollAttempt(NamedTuple):
    """One poll: how it ended, the seconds it took, the requests it made."""

    result: PollResult | PollFailure
    duration: float
    requests: int


async def poll_once(source: PollTarget, limits: Limits, now: Callable[[], float]) -> PollAttempt:
    """Poll a target, within its timeout whatever the vendor does.

    The timeout is for all requests together. Time spent waiting for the rate limit does not count.
    """
    loop = asyncio.get_running_loop()
    timeout = float(source.target.poll.timeout)
    started = loop.time()
    left, waiting, requests = timeout, 0, 0

    @contextmanager
    def stopped_clock() -> Iterator[None]:
        """The timeout stands still while any request waits: no second of waiting counts twice."""
        nonlocal left, waiting
        if not waiting and not deadline.expired():
            left = (deadline.when() or loop.time()) - loop.time()
            deadline.reschedule(None)
        waiting += 1
        try:
            yield
        finally:
            waiting -= 1
            if not waiting and not deadline.expired():
                deadline.reschedule(loop.time() + left)

    async def paced(request: Request) -> bytes:
        nonlocal requests
        with stopped_clock():
            await limits.turn(request.host)
        requests += 1
        return await source.send(request)

    result: PollResult | PollFailure
    try:
        async with asyncio.timeout(timeout) as deadline:
            result = await source.fetch(paced, now())
    except PollError as error:
        result = error.failure
    except TimeoutError:
        result = PollFailure(FailureReason.TIMEOUT, f"not complete within {timeout:g} seconds")
    except Exception as error:  # noqa: BLE001  whatever a reply can provoke ends this poll alone
        result = PollFailure(FailureReason.INTERNAL, f"unexpected {describe_exception(error)}")
    return PollAttempt(result, loop.time() - started, requests)
