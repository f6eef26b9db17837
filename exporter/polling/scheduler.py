"""When each target is polled: one task per target, which polls it again and again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from exporter.model import PollFailure, PollOutcome, PollResult
from exporter.polling.backoff import next_delay
from exporter.polling.poll import poll_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.config.models import Target
    from exporter.polling.limits import PollSlots
    from exporter.polling.poll import PollAttempt, PollTarget

_log = logging.getLogger(__name__)

KEY_RECHECK_INTERVAL: Final = 5.0  # seconds between checks of a rejected key's file
CLOCK_RECHECK_INTERVAL: Final = 60.0  # seconds after suspend until overdue polls start, at most
STARTUP_SPREAD: Final = 30.0  # seconds over which the first polls are spread, at most
STARTUP_GAP: Final = 0.05  # seconds between the first polls of two targets, at most


class ScheduleState(NamedTuple):
    """Where the schedule of a target continues after a restart."""

    last_poll: PollOutcome | None = None
    consecutive_failures: int = 0

    @property
    def last_result(self) -> PollResult | PollFailure | None:
        """The result of the last poll."""
        return self.last_poll and self.last_poll.result

    @property
    def auth_failed(self) -> bool:
        """Whether polls fail until the key changes."""
        failure = self.last_result
        return isinstance(failure, PollFailure) and failure.reason.is_credential

    def delay(self, now: float) -> float:
        """Seconds until the next poll is due; `now` is in Unix seconds."""
        return self.last_poll.next_at - now if self.last_poll else 0.0


class PollScheduler:
    """Polls every target at its interval, with back-off after failures.

    An async context manager; leaving it stops all polls.

    Args:
        record: called with a target's name and the outcome of each of its polls. If it raises,
            all polling stops and the context manager raises the error.
        slots: the limits that all polls share.
        now: Unix seconds, for timestamps.
        clock: seconds, for waiting; see `ElapsedClock`. The event loop's clock by default.
        rng: a random number from 0 to 1.
    """

    def __init__(
        self,
        record: Callable[[str, PollOutcome], object],
        slots: PollSlots,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._record = record
        self._slots = slots
        self._now = now
        self._clock = clock or asyncio.get_running_loop().time
        self._rng = rng
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.stop(list(self._tasks))
        await self._group.__aexit__(None, None, None)

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def start(
        self,
        poll_targets: Sequence[PollTarget],
        states: Mapping[str, ScheduleState] | None = None,
    ) -> None:
        """Start polling these targets, the first polls staggered.

        Args:
            poll_targets: the targets.
            states: by name, of targets that were polled before: their next poll stays due at the
                time it was.
        """
        for index, poll_target in enumerate(poll_targets):
            target = poll_target.target
            spread = min(STARTUP_SPREAD, target.poll.interval / 4)
            startup_delay = index * min(STARTUP_GAP, spread / len(poll_targets))
            state = (states or {}).get(target.name, ScheduleState())
            self._tasks[target.name] = self._group.create_task(
                self._poll_repeatedly(poll_target, state, startup_delay), name=f"poll {target.name}"
            )

    def stop(self, names: Iterable[str]) -> None:
        """Stop polling these targets; polls in progress are cancelled and not recorded."""
        for name in names:
            self._tasks.pop(name).cancel()

    async def _poll_repeatedly(
        self, poll_target: PollTarget, state: ScheduleState, startup_delay: float
    ) -> None:
        target = poll_target.target
        key = target.key.fingerprint()
        await self._wait(target, state, key, max(startup_delay, state.delay(self._now())))
        while True:
            async with self._slots.acquire(poll_target.host):
                key = target.key.fingerprint()
                attempt = await poll_once(poll_target, self._slots.rate_limiter, self._now)
            state, delay = self._finish(target, attempt, state)
            await self._wait(target, state, key, delay)

    def _finish(
        self, target: Target, attempt: PollAttempt, previous: ScheduleState
    ) -> tuple[ScheduleState, float]:
        """Log and record a poll; the state after it, and the seconds until the next poll."""
        if self._tasks.get(target.name) is not asyncio.current_task():
            # Stopped, but the poll swallowed the cancellation, as a task group whose own task
            # fails in the same moment does before Python 3.13.
            raise asyncio.CancelledError
        _log_attempt(target, attempt, previous.last_result)
        failures = (
            previous.consecutive_failures + 1 if isinstance(attempt.result, PollFailure) else 0
        )
        delay = next_delay(attempt.result, failures, attempt.duration, target.poll, self._rng)
        now = self._now()
        outcome = PollOutcome(*attempt, at=now, next_at=now + delay)
        self._record(target.name, outcome)
        return ScheduleState(outcome, failures), delay

    async def _wait(self, target: Target, state: ScheduleState, key: object, delay: float) -> None:
        """Wait for `delay` seconds; after a rejected key only until its file changes.

        The event loop's own timers stand still while the machine is suspended, hence the steps.
        """
        step = KEY_RECHECK_INTERVAL if state.auth_failed else CLOCK_RECHECK_INTERVAL
        due = self._clock() + delay
        while (left := due - self._clock()) > 0:
            if state.auth_failed and target.key.fingerprint() != key:
                return
            await asyncio.sleep(min(left, step))


def _log_attempt(
    target: Target, attempt: PollAttempt, previous: PollResult | PollFailure | None
) -> None:
    """Log each poll at debug level, and each change of a target's state above it."""
    fields: dict[str, object] = {
        "target": target.name,
        "vendor": target.vendor,
        "duration": round(attempt.duration, 3),
    }
    if isinstance(attempt.result, PollResult):
        _log.debug("poll succeeded", extra=fields)
        if not isinstance(previous, PollResult):
            _log.info("target is up", extra=fields)
        _log_incomplete(attempt.result, previous, fields)
        return
    fields |= {"reason": str(attempt.result.reason), "detail": attempt.result.detail}
    _log.debug("poll failed", extra=fields)
    if not isinstance(previous, PollFailure) or previous.reason != attempt.result.reason:
        _log.warning("target is down", extra=fields)


def _log_incomplete(
    result: PollResult, previous: PollResult | PollFailure | None, fields: dict[str, object]
) -> None:
    """Log what a successful poll could not read, when that changes."""
    before = previous if isinstance(previous, PollResult) else PollResult(())
    failures = {(each.scope, each.reason): each for each in result.scope_failures}
    if failures.keys() - {(each.scope, each.reason) for each in before.scope_failures}:
        first = result.scope_failures[0]
        about = {"scope": first.scope, "reason": str(first.reason), "detail": first.detail}
        about["scopes_failing"] = str(len(failures))
        _log.warning("parts of the target cannot be read", extra=fields | about)
    for note in result.notes:
        if note not in before.notes:
            _log.warning("data is incomplete", extra=fields | {"detail": note})
