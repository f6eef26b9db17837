"""What is known of each target, and what of it survives a failed poll."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Self

from exporter.model import PollFailure, PollOutcome, PollResult
from exporter.state.daily_usage import update_usage, with_exhaustion
from exporter.state.scopes import Previous, retain_scopes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.config.models import Target
    from exporter.model import Allowance, Anomaly, ScopeFailure
    from exporter.state.daily_usage import UsageByAllowance


@dataclass(frozen=True, slots=True)
class TargetState:
    """Everything known of a target.

    Args:
        last_poll: outcome of the last poll.
        result: result of the last successful poll.
        succeeded_at: when that ended, Unix seconds.
        stale_at: when the result expires, by the monotonic clock.
        polls, requests: number of polls and of API requests since the start.
        failures: number of failed polls since the start.
        anomalies: number of anomalies by kind; kinds never seen are absent.
        consecutive_failures: polls that failed since the last success.
        daily_usage: usage by day of allowances whose vendor reports only totals.
    """

    last_poll: PollOutcome | None = None
    result: PollResult | None = None
    succeeded_at: float | None = None
    stale_at: float = 0.0
    polls: int = 0
    requests: int = 0
    failures: int = 0
    anomalies: Mapping[Anomaly, int] = field(default_factory=dict)
    consecutive_failures: int = 0
    daily_usage: UsageByAllowance = field(default_factory=dict)

    def after(self, outcome: PollOutcome, stale_at: float, stale_after: float = inf) -> Self:
        """The state once a poll has ended; a failed one leaves the last good result as it is.

        Args:
            outcome: how it ended.
            stale_at: when its result expires, by the monotonic clock.
            stale_after: seconds after which values of a scope expire that cannot be read.
        """
        counted = replace(
            self,
            last_poll=outcome,
            polls=self.polls + 1,
            requests=self.requests + outcome.requests,
        )
        if isinstance(outcome.result, PollFailure):
            return replace(
                counted,
                failures=self.failures + 1,
                consecutive_failures=self.consecutive_failures + 1,
            )
        before = Previous(self.result, self.succeeded_at or 0.0) if self.result else None
        result = retain_scopes(outcome.result, before, outcome.at, stale_after)
        daily_usage = update_usage(self.daily_usage, outcome.result, result, outcome.at)
        result = with_exhaustion(result, daily_usage)
        return replace(
            counted,
            last_poll=outcome._replace(result=result),
            result=result,
            consecutive_failures=0,
            daily_usage=daily_usage,
            succeeded_at=outcome.at,
            stale_at=stale_at,
            anomalies=_add(self.anomalies, outcome.result.anomalies),
        )

    def is_stale(self, now: float) -> bool:
        """Whether there is a reading that is to be withdrawn by now."""
        return self.result is not None and now >= self.stale_at

    @property
    def is_up(self) -> bool:
        """Whether the last poll succeeded."""
        return self.last_poll is not None and isinstance(self.last_poll.result, PollResult)

    @property
    def failure(self) -> PollFailure | None:
        """How the last poll failed, if it did."""
        result = self.last_poll and self.last_poll.result
        return result if isinstance(result, PollFailure) else None


def _add(counts: Mapping[Anomaly, int], found: tuple[Anomaly, ...]) -> Mapping[Anomaly, int]:
    return Counter(counts) + Counter(found) if found else counts


class TargetSnapshot(NamedTuple):
    """A target and its state, and whether its reading is withdrawn for its age."""

    target: Target
    state: TargetState
    is_stale: bool

    @property
    def result(self) -> PollResult | None:
        """The last good reading, unless it is withdrawn."""
        return None if self.is_stale else self.state.result

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Those of the reading."""
        return self.result.allowances if self.result else ()

    @property
    def scope_failures(self) -> tuple[ScopeFailure, ...]:
        """The parts of the target that could not be read."""
        return self.result.scope_failures if self.result else ()


class StateStore:
    """The states of all targets: the one place where they change.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._snapshots: dict[str, TargetSnapshot] = {}
        self._next_stale = inf  # no reading becomes too old before this moment

    def set_targets(
        self, targets: Iterable[Target], kept: Mapping[str, TargetState] | None = None
    ) -> None:
        """Have exactly these targets; one that was there unchanged keeps its state.

        Args:
            targets: in the order in which they are to be shown.
            kept: by name, the states of those that were known before the program began.
        """
        known = self._snapshots
        kept = kept or {}
        self._snapshots = {
            target.name: known[target.name]
            if target.name in known and known[target.name].target == target
            else TargetSnapshot(target, kept.get(target.name, TargetState()), is_stale=False)
            for target in targets
        }
        self._next_stale = -inf

    def record(self, name: str, outcome: PollOutcome) -> TargetSnapshot:
        """Take in how a poll ended; the target as it is then."""
        target, state, _ = self._snapshots[name]
        now = self._clock()
        stale_at = now + target.poll.stale_after
        self._next_stale = min(self._next_stale, stale_at)
        state = state.after(outcome, stale_at, target.poll.stale_after)
        self._snapshots[name] = TargetSnapshot(target, state, state.is_stale(now))
        return self._snapshots[name]

    def snapshots(self) -> tuple[TargetSnapshot, ...]:
        """Every target with its state, in the configuration's order.

        An entry is the same object as before where nothing has happened to it.
        """
        now = self._clock()
        if now >= self._next_stale:
            self._expire(now)
        return tuple(self._snapshots.values())

    def _expire(self, now: float) -> None:
        """Mark the entries whose reading has become too old, and see when the next one will."""
        for name, snapshot in self._snapshots.items():
            if not snapshot.is_stale and snapshot.state.is_stale(now):
                self._snapshots[name] = snapshot._replace(is_stale=True)
        left = (snapshot.state.stale_at for snapshot in self._snapshots.values() if snapshot.result)
        self._next_stale = min(left, default=inf)
