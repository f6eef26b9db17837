"""When to poll: the rhythm of each target, and the limits that all of them share."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from exporter.records import Failure, Outcome, PollError, Reading, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from exporter.config.models import Pace, Target
    from exporter.vendors import Fetch, Send
    from exporter.vendors._http import Request

_log = logging.getLogger(__name__)

JITTER: Final = 0.05  # an interval is drawn from 0.95 to 1.05 of its length
FIRST_BACK_OFF: Final = 30.0  # seconds, or an eighth of the interval where that is shorter
LONGEST_RETRY_AFTER: Final = 3600.0  # seconds a vendor can ask for, beyond the usual rhythm
SLOWEST_AUTH: Final = 8  # intervals between polls while the key is refused
KEY_TROUBLE: Final = (Reason.AUTH, Reason.SECRET)
KEY_WATCH: Final = 5.0  # seconds between looks at the key's file while the key is refused
PATIENCE: Final = 1.0  # seconds after which a poll that still waits lets another one start
SPREAD: Final = 30.0  # seconds, at most, over which the first polls are spread
FIRST_GAP: Final = 0.05  # seconds, at most, between two targets' first polls


def delay_after(
    result: Reading | Failure,
    failures: int,
    took: float,
    pace: Pace,
    draw: Callable[[], float] = random.random,
) -> float:
    """Seconds from the end of a poll to the start of the next.

    Args:
        result: how the poll ended.
        failures: failed polls in a row, this one included.
        took: seconds the poll took.
        pace: the target's interval.
        draw: a random number from 0 to 1.
    """
    spread = 1 + JITTER * (2 * draw() - 1)
    if isinstance(result, Reading):
        return max(0.0, pace.interval * spread - took)
    asked = min(result.retry_after or 0.0, LONGEST_RETRY_AFTER)
    return max(asked, _back_off(result.reason, failures, pace.interval) * spread)


def _back_off(reason: Reason, failures: int, interval: float) -> float:
    """A refused key slows down; after anything else, sooner than usual, then less and less so."""
    doublings = min(failures, 30) - 1
    if reason == Reason.AUTH:
        return interval * min(2.0 ** (doublings + 1), SLOWEST_AUTH)
    return min(min(FIRST_BACK_OFF, interval / 8) * 2.0**doublings, interval)


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

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the slots, until the end or for `PATIENCE`."""
        await self._slots.acquire()
        with ExitStack() as held:  # closed twice, it releases once
            held.callback(self._slots.release)
            timer = asyncio.get_running_loop().call_later(PATIENCE, held.close)
            held.callback(timer.cancel)
            yield

    async def turn(self, host: str) -> None:
        """Wait, first come first served, until a request to `host` may start.

        A turn is taken when it has come: whoever gives up waiting holds up nobody.
        """
        loop = asyncio.get_running_loop()
        async with self._queues[host]:
            await asyncio.sleep(self._free_at.get(host, 0.0) - loop.time())
            self._free_at[host] = loop.time() + self._gap


class Source(NamedTuple):
    """A target, what polls it, and its way out."""

    target: Target
    fetch: Fetch
    send: Send


class Rhythm(NamedTuple):
    """Where the polling of a target goes on: its last poll, and how many have failed in a row."""

    last: Outcome | None = None
    failures: int = 0

    def delay(self, now: Callable[[], float]) -> float:
        """Seconds until the next poll is due."""
        return max(0.0, self.last.next_at - now()) if self.last else 0.0


class Attempt(NamedTuple):
    """One poll: how it ended, the seconds it took, the requests it made."""

    result: Reading | Failure
    took: float
    requests: int


async def poll_once(source: Source, limits: Limits, now: Callable[[], float]) -> Attempt:
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

    result: Reading | Failure
    try:
        async with asyncio.timeout(timeout) as deadline:
            result = await source.fetch(paced, now())
    except PollError as error:
        result = error.failure
    except TimeoutError:
        result = Failure(Reason.TIMEOUT, f"not complete within {timeout:g} seconds")
    except Exception as error:  # noqa: BLE001  whatever a reply can provoke ends this poll alone
        result = Failure(Reason.INTERNAL, _kind_and_place(error))
    return Attempt(result, loop.time() - started, requests)


def _kind_and_place(error: Exception) -> str:
    """What is told of an error nobody foresaw: never its text, which may quote what was sent."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"unexpected {type(error).__name__} ({Path(frame.f_code.co_filename).name}:{line})"


class Fleet:
    """Polls every target on its own rhythm, a task for each.

    Args:
        publish: takes a target's name and the outcome of each of its polls.
        limits: what all polls may use.
        now: the time, Unix seconds.
        draw: a random number from 0 to 1.
    """

    def __init__(
        self,
        publish: Callable[[str, Outcome], object],
        limits: Limits,
        now: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._publish = publish
        self._limits = limits
        self._now = now
        self._draw = draw
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.stop(list(self._tasks))
        await self._group.__aexit__(None, None, None)

    def stop(self, names: Iterable[str]) -> None:
        """Stop polling these targets."""
        for name in names:
            self._tasks.pop(name).cancel()

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def limit(self, limits: Limits) -> None:
        """Hold all polls from now on to these limits."""
        self._limits = limits

    def start(self, sources: Sequence[Source], rhythms: Mapping[str, Rhythm] | None = None) -> None:
        """Poll these targets: at once, but not all in the same moment.

        Args:
            sources: the targets.
            rhythms: by name, of targets that were polled before: their next poll keeps its time.
        """
        for index, source in enumerate(sources):
            interval = source.target.poll.interval
            gap = min(FIRST_GAP, min(SPREAD, interval / 4) / len(sources))
            name = source.target.name
            task = self._poll_forever(source, index * gap, (rhythms or {}).get(name, Rhythm()))
            self._tasks[name] = self._group.create_task(task, name=f"poll {name}")

    async def _poll_forever(self, source: Source, delay: float, rhythm: Rhythm) -> None:
        failures, last = rhythm.failures, rhythm.last and rhythm.last.result
        delay = max(delay, rhythm.delay(self._now))
        await _rest(source.target, delay, last, source.target.key.fingerprint())
        while True:
            async with self._limits.slot():
                key = source.target.key.fingerprint()
                attempt = await poll_once(source, self._limits, self._now)
            if self._tasks.get(source.target.name) is not asyncio.current_task():
                # Stopped in the moment in which a request failed: until Python 3.13 a task group
                # swallows that cancellation. Its leftover count is no sign; this is.
                return  # pragma: no cover  tested; Python 3.11's tracer loses its place here
            failures = failures + 1 if isinstance(attempt.result, Failure) else 0
            pace = source.target.poll
            delay = delay_after(attempt.result, failures, attempt.took, pace, self._draw)
            _report(source.target, attempt, last)
            last, at = attempt.result, self._now()
            self._publish(source.target.name, Outcome(*attempt, at=at, next_at=at + delay))
            await _rest(source.target, delay, last, key)


async def _rest(
    target: Target, delay: float, last: Reading | Failure | None, fingerprint: object
) -> None:
    """Wait; while the key is refused only until its file changes: a new key is tried at once."""
    if not isinstance(last, Failure) or last.reason not in KEY_TROUBLE:
        await asyncio.sleep(delay)
        return
    while delay > 0 and target.key.fingerprint() == fingerprint:
        await asyncio.sleep(min(delay, KEY_WATCH))
        delay -= KEY_WATCH


def _report(target: Target, attempt: Attempt, last: Reading | Failure | None) -> None:
    """A line for each poll at debug, and one for each change of state."""
    fields: dict[str, object] = {"target": target.name, "vendor": target.vendor}
    fields["duration"] = round(attempt.took, 3)
    if isinstance(attempt.result, Reading):
        _log.debug("poll succeeded", extra=fields)
        if not isinstance(last, Reading):
            _log.info("target is up", extra=fields)
        return
    fields |= {"reason": str(attempt.result.reason), "detail": attempt.result.detail}
    _log.debug("poll failed", extra=fields)
    if not isinstance(last, Failure) or last.reason != attempt.result.reason:
        _log.warning("target is down", extra=fields)
