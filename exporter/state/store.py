"""The state of each target, in memory."""

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
    """What is known of a target.

    Args:
        last_poll: outcome of the last poll.
        result: result of the last successful poll.
        succeeded_at: when that ended, Unix seconds.
        failing_since: when the first poll that failed since then ended, Unix seconds.
        stale_at: when the result expires, by the store's clock.
        polls, requests: number of polls and of API requests since the start.
        failures: number of failed polls since the start.
        anomalies: number of anomalies by kind; kinds never seen are absent.
        consecutive_failures: polls that failed since the last success.
        daily_usage: usage by day of allowances whose vendor reports only totals.
    """

    last_poll: PollOutcome | None = None
    result: PollResult | None = None
    succeeded_at: float | None = None
    failing_since: float | None = None
    stale_at: float = 0.0
    polls: int = 0
    requests: int = 0
    failures: int = 0
    anomalies: Mapping[Anomaly, int] = field(default_factory=dict)
    consecutive_failures: int = 0
    daily_usage: UsageByAllowance = field(default_factory=dict)

    def after(self, outcome: PollOutcome, stale_at: float, stale_after: float = inf) -> Self:
        """The state after a poll; a failed poll keeps the last good result.

        Args:
            outcome: the poll.
            stale_at: when its result expires, by the store's clock.
            stale_after: seconds after which the values of a failed scope expire.
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
                failing_since=outcome.at if self.failing_since is None else self.failing_since,
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
            failing_since=None,
            stale_at=stale_at,
            anomalies=_add(self.anomalies, outcome.result.anomalies),
        )

    def is_stale(self, now: float) -> bool:
        """Whether there is a result that has expired; `now` is by the store's clock."""
        return self.result is not None and now >= self.stale_at

    @property
    def is_up(self) -> bool:
        """Whether the last poll succeeded."""
        return self.last_poll is not None and isinstance(self.last_poll.result, PollResult)

    @property
    def failure(self) -> PollFailure | None:
        """The failure of the last poll, if it failed."""
        result = self.last_poll and self.last_poll.result
        return result if isinstance(result, PollFailure) else None


def _add(counts: Mapping[Anomaly, int], found: tuple[Anomaly, ...]) -> Mapping[Anomaly, int]:
    return Counter(counts) + Counter(found) if found else counts


class TargetSnapshot(NamedTuple):
    """A target with its state; `is_stale` once its result has expired."""

    target: Target
    state: TargetState
    is_stale: bool

    @property
    def result(self) -> PollResult | None:
        """The last good result, unless it has expired."""
        return None if self.is_stale else self.state.result

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """The allowances of the result."""
        return self.result.allowances if self.result else ()

    @property
    def scope_failures(self) -> tuple[ScopeFailure, ...]:
        """The parts of the target that could not be read."""
        return self.result.scope_failures if self.result else ()


class StateStore:
    """The states of all targets.

    Args:
        clock: seconds, for the age of results; see `ElapsedClock`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._snapshots: dict[str, TargetSnapshot] = {}
        self._next_expiry = inf  # no result expires before this time

    def set_targets(
        self, targets: Iterable[Target], restored: Mapping[str, TargetState] | None = None
    ) -> None:
        """Replace the targets; an unchanged target keeps its state.

        Args:
            targets: in the order of the configuration.
            restored: by name, states from before the exporter started.
        """
        known = self._snapshots
        restored = restored or {}
        self._snapshots = {
            target.name: known[target.name]
            if target.name in known and known[target.name].target == target
            else TargetSnapshot(target, restored.get(target.name, TargetState()), is_stale=False)
            for target in targets
        }
        self._next_expiry = -inf

    def record(self, name: str, outcome: PollOutcome) -> TargetSnapshot:
        """Record the outcome of a poll; the snapshot after it."""
        target, state, _ = self._snapshots[name]
        now = self._clock()
        stale_at = now + target.poll.stale_after
        self._next_expiry = min(self._next_expiry, stale_at)
        state = state.after(outcome, stale_at, target.poll.stale_after)
        self._snapshots[name] = TargetSnapshot(target, state, state.is_stale(now))
        return self._snapshots[name]

    def snapshots(self) -> tuple[TargetSnapshot, ...]:
        """Every target with its state, in the order of the configuration.

        A snapshot stays the same object until something about the target changes.
        """
        now = self._clock()
        if now >= self._next_expiry:
            self._expire(now)
        return tuple(self._snapshots.values())

    def snapshot(self, name: str) -> TargetSnapshot | None:
        """One target with its state; None where none has this name."""
        self.snapshots()  # for what has expired
        return self._snapshots.get(name)

    def _expire(self, now: float) -> None:
        for name, snapshot in self._snapshots.items():
            if not snapshot.is_stale and snapshot.state.is_stale(now):
                self._snapshots[name] = snapshot._replace(is_stale=True)
        expiries = (
            snapshot.state.stale_at for snapshot in self._snapshots.values() if snapshot.result
        )
        self._next_expiry = min(expiries, default=inf)
