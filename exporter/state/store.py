"""What is known of each target, and what of it survives a failed poll."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from exporter.model import Anomaly, FailureReason, PollFailure, PollOutcome, PollResult
from exporter.state.daily_usage import update_usage, with_exhaustion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.config.models import Target
    from exporter.model import Allowance
    from exporter.state.daily_usage import UsageByAllowance

_REASONS: Final = tuple(FailureReason)
_ANOMALIES: Final = tuple(Anomaly)
_NO_FAILURES: Final = (0,) * len(_REASONS)
_NO_ANOMALIES: Final = (0,) * len(_ANOMALIES)


@dataclass(frozen=True, slots=True)
class TargetState:
    """Everything known of a target.

    Args:
        last: its last poll.
        reading: what its last successful poll found.
        succeeded_at: when that was, Unix seconds.
        stale_at: when the reading is to be withdrawn, by the monotonic clock.
        polls, requests: how many there were.
        failures: how many for each `FailureReason`, in their order.
        anomalies: how many of each `Anomaly`, in their order.
        failed_in_row: polls that have failed since the last success.
        seen: use by day, of allowances whose vendor tells only totals.
    """

    last: PollOutcome | None = None
    poll_result: PollResult | None = None
    succeeded_at: float | None = None
    stale_at: float = 0.0
    polls: int = 0
    requests: int = 0
    failures: tuple[int, ...] = _NO_FAILURES
    anomalies: tuple[int, ...] = _NO_ANOMALIES
    consecutive_failures: int = 0
    seen: UsageByAllowance = field(default_factory=dict)

    def after(self, outcome: PollOutcome, stale_at: float) -> Self:
        """The state once a poll has ended; a failed one leaves the last good reading as it is."""
        known = replace(
            self, last=outcome, polls=self.polls + 1, requests=self.requests + outcome.requests
        )
        if isinstance(outcome.result, PollFailure):
            failed = (outcome.result.reason,)
            return replace(
                known,
                failures=_counted(self.failures, _REASONS, failed),
                consecutive_failures=self.consecutive_failures + 1,
            )
        seen = update_usage(self.seen, outcome.result, outcome.at)
        poll_result = with_exhaustion(outcome.result, seen)
        return replace(
            known,
            last=outcome._replace(result=poll_result),
            poll_result=poll_result,
            consecutive_failures=0,
            seen=seen,
            succeeded_at=outcome.at,
            stale_at=stale_at,
            anomalies=_counted(self.anomalies, _ANOMALIES, outcome.result.anomalies),
        )

    def is_stale(self, now: float) -> bool:
        """Whether there is a reading that is to be withdrawn by now."""
        return self.poll_result is not None and now >= self.stale_at

    @property
    def is_up(self) -> bool:
        """Whether the last poll succeeded."""
        return self.last is not None and isinstance(self.last.result, PollResult)

    @property
    def failure(self) -> PollFailure | None:
        """How the last poll failed, if it did."""
        result = self.last and self.last.result
        return result if isinstance(result, PollFailure) else None


def _counted(
    counts: tuple[int, ...], names: tuple[str, ...], seen: tuple[str, ...]
) -> tuple[int, ...]:
    if not seen:
        return counts
    return tuple(count + seen.count(name) for count, name in zip(counts, names, strict=True))


class TargetSnapshot(NamedTuple):
    """A target and its state, and whether its reading is withdrawn for its age."""

    target: Target
    state: TargetState
    is_stale: bool

    @property
    def poll_result(self) -> PollResult | None:
        """The last good reading, unless it is withdrawn."""
        return None if self.is_stale else self.state.poll_result

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Those of the reading."""
        return self.poll_result.allowances if self.poll_result else ()


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
        state = state.after(outcome, stale_at)
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
        left = (
            snapshot.state.stale_at for snapshot in self._snapshots.values() if snapshot.poll_result
        )
        self._next_stale = min(left, default=inf)
