"""The conditions of a target: what the status page counts, filters and sorts by."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from exporter.presentation.formatting import is_used_up, runs_out_early, severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.model import Allowance
    from exporter.state.store import TargetSnapshot

CONDITIONS: Final[Mapping[str, str]] = {
    "down": "down",
    "stale": "expired",
    "low": "running low",
    "early": "runs out early",
    "used_up": "used up",
    "waiting": "not polled yet",
    "up": "up",
}
"""Each condition with its text. Exactly one of down, waiting and up is true of a target."""

_PLURALS: Final = {"early": "run out early"}
_WORST_FIRST: Final = ("stale", "down", "used_up", "early", "low", "waiting", "up")


def conditions(snapshot: TargetSnapshot) -> frozenset[str]:
    """The conditions of a target, as keys of `CONDITIONS`."""
    found = {poll_condition(snapshot)}
    if snapshot.is_stale:
        found.add("stale")
    for allowance in snapshot.allowances:
        if is_used_up(allowance):
            found.add("used_up")
        elif severity(allowance, snapshot.target.alerts) != "fine":
            found.add("low")
        if runs_out_early(allowance):
            found.add("early")
    return frozenset(found)


def poll_condition(snapshot: TargetSnapshot) -> str:
    """Whether the target is up, down or waiting for its first poll."""
    return "up" if snapshot.state.is_up else "down" if snapshot.state.failure else "waiting"


def format_count(count: int, condition: str) -> str:
    """A number of targets, such as `12 run out early`."""
    plural = _PLURALS.get(condition, CONDITIONS[condition])
    return f"{count:,} {CONDITIONS[condition] if count == 1 else plural}"


def urgency(snapshot: TargetSnapshot, known: frozenset[str]) -> tuple[int, float]:
    """A sort key, the worst target first: by condition, then by what runs out first.

    Args:
        snapshot: the target.
        known: its conditions.
    """
    rank = min(map(_WORST_FIRST.index, known))
    return rank, min(map(_exhaustion, snapshot.allowances), default=inf)


def allowance_urgency(allowance: Allowance) -> tuple[bool, bool, float]:
    """A sort key, the worst allowance first."""
    return not is_used_up(allowance), not runs_out_early(allowance), _exhaustion(allowance)


def _exhaustion(allowance: Allowance) -> float:
    return inf if allowance.exhaustion is None else allowance.exhaustion
