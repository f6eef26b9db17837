"""When to poll: every target on its own rhythm, within the limits that all of them share."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from exporter.model import PollFailure, PollOutcome, PollResult
from exporter.polling.backoff import next_delay
from exporter.polling.poll import CREDENTIAL_FAILURES, poll_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.config.models import Target
    from exporter.polling.poll import Limits, PollAttempt, PollTarget, Slot

_log = logging.getLogger(__name__)

KEY_WATCH: Final = 5.0  # seconds between looks at the key's file while the key is refused
SPREAD: Final = 30.0  # seconds, at most, over which the first polls are spread
FIRST_GAP: Final = 0.05  # seconds, at most, between two targets' first polls


class ScheduleState(NamedTuple):
    """Where the polling of a target goes on: its last poll, and how many have failed in a row."""

    last: PollOutcome | None = None
    failures: int = 0

    def delay(self, now: Callable[[], float]) -> float:
        """Seconds until the next poll is due."""
        return max(0.0, self.last.next_at - now()) if self.last else 0.0


class _ScheduledTarget:
    """A target that is polled, and how far it has come: thousands rest at a time.

    Args:
        source: what is polled.
        last: how its last poll ended.
        failures: how many have failed in a row.
        step: what brings it on: a timer while it rests, then the task that polls it. Between
            these, while it stands in line, the timer that has run out. Cancelled, it ends.
        key: the fingerprint of a key that was refused.
    """

    __slots__ = ("failures", "key", "last", "source", "step")
    step: asyncio.TimerHandle | asyncio.Task[None]

    def __init__(self, source: PollTarget, rhythm: ScheduleState) -> None:
        self.source = source
        self.last = rhythm.last and rhythm.last.result
        self.failures = rhythm.failures
        self.key = source.target.key.fingerprint() if self.is_locked_out else None

    @property
    def is_locked_out(self) -> bool:
        """Whether there is no use in polling it with the key that it has."""
        return isinstance(self.last, PollFailure) and self.last.reason in CREDENTIAL_FAILURES


class _Line(NamedTuple):
    """Targets of one host whose polls are due, and the task that starts them."""

    due: deque[_ScheduledTarget]
    starting: asyncio.Task[None]


class PollScheduler:
    """Polls every target on its own rhythm; one that rests costs a timer.

    Args:
        publish: takes a target's name and the outcome of each of its polls.
        limits: what all polls may use.
        now: the time, Unix seconds.
        draw: a random number from 0 to 1.
    """

    def __init__(
        self,
        record: Callable[[str, PollOutcome], object],
        limits: Limits,
        now: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._record = record
        self._limits = limits
        self._now = now
        self._draw = draw
        self._courses: dict[str, _ScheduledTarget] = {}
        self._lines: dict[str, _Line] = {}
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.stop(list(self._courses))
        for line in self._lines.values():
            line.starting.cancel()
        await self._group.__aexit__(None, None, None)

    def stop(self, names: Iterable[str]) -> None:
        """Stop polling these targets."""
        for name in names:
            self._courses.pop(name).step.cancel()

    def __contains__(self, name: object) -> bool:
        return name in self._courses

    def limit(self, limits: Limits) -> None:
        """Hold all polls from now on to these limits."""
        self._limits = limits

    def start(
        self, sources: Sequence[PollTarget], rhythms: Mapping[str, ScheduleState] | None = None
    ) -> None:
        """Poll these targets: at once, but not all in the same moment.

        Args:
            sources: the targets.
            rhythms: by name, of targets that were polled before: their next poll keeps its time.
        """
        for index, source in enumerate(sources):
            interval = source.target.poll.interval
            gap = min(FIRST_GAP, min(SPREAD, interval / 4) / len(sources))
            name = source.target.name
            rhythm = (rhythms or {}).get(name, ScheduleState())
            self._courses[name] = course = _ScheduledTarget(source, rhythm)
            self._rest(course, max(index * gap, rhythm.delay(self._now)))

    def _rest(self, course: _ScheduledTarget, delay: float) -> None:
        """Wait; with a refused key only until its file changes: another one is tried at once."""
        is_watched = course.is_locked_out
        if is_watched and course.source.target.key.fingerprint() != course.key:
            delay = 0.0
        loop = asyncio.get_running_loop()
        if is_watched and delay > KEY_WATCH:
            course.step = loop.call_later(KEY_WATCH, self._rest, course, delay - KEY_WATCH)
        else:
            course.step = loop.call_later(delay, self._queue, course)

    def _queue(self, course: _ScheduledTarget) -> None:
        """Have a target stand in line with the others of its host that are due."""
        host = course.source.host
        if host not in self._lines:
            starting = self._group.create_task(self._start_due(host), name=f"start polls of {host}")
            self._lines[host] = _Line(deque(), starting)
        self._lines[host].due.append(course)

    async def _start_due(self, host: str) -> None:
        """Start the polls that are due at a host: each when its requests would not have to wait.

        So those that cannot be made yet cost nothing, and hosts take the slots in turns.
        """
        due = self._lines[host].due
        while due:
            await self._limits.lull(host)
            slot = await self._limits.slot()
            course = due.popleft()
            if self._is_on(course):
                name = f"poll {course.source.target.name}"
                course.step = self._group.create_task(self._poll(course, slot), name=name)
            else:
                slot.give_back()
        del self._lines[host]

    def _is_on(self, course: _ScheduledTarget) -> bool:
        """Whether the target has not been stopped."""
        return self._courses.get(course.source.target.name) is course

    async def _poll(self, course: _ScheduledTarget, slot: Slot) -> None:
        target = course.source.target
        with slot:
            key = target.key.fingerprint()
            attempt = await poll_once(course.source, self._limits, self._now)
        if not self._is_on(course):
            # Stopped in the moment in which a request failed: until Python 3.13 a task group
            # swallows that cancellation. Its leftover count is no sign; this is.
            return  # pragma: no cover  tested; Python 3.11's tracer loses its place here
        course.failures = course.failures + 1 if isinstance(attempt.result, PollFailure) else 0
        delay = next_delay(
            attempt.result, course.failures, attempt.duration, target.poll, self._draw
        )
        _report(target, attempt, course.last)
        at = self._now()
        course.last = attempt.result
        course.key = key if course.is_locked_out else None
        try:
            self._record(target.name, PollOutcome(*attempt, at=at, next_at=at + delay))
        except Exception:
            self.stop(list(self._courses))  # the group ends its tasks, and knows nothing of timers
            raise
        self._rest(course, delay)


def _report(target: Target, attempt: PollAttempt, last: PollResult | PollFailure | None) -> None:
    """A line for each poll at debug, and one for each change of state."""
    fields: dict[str, object] = {"target": target.name, "vendor": target.vendor}
    fields["duration"] = round(attempt.duration, 3)
    if isinstance(attempt.result, PollResult):
        _log.debug("poll succeeded", extra=fields)
        if not isinstance(last, PollResult):
            _log.info("target is up", extra=fields)
        return
    fields |= {"reason": str(attempt.result.reason), "detail": attempt.result.detail}
    _log.debug("poll failed", extra=fields)
    if not isinstance(last, PollFailure) or last.reason != attempt.result.reason:
        _log.warning("target is down", extra=fields)
