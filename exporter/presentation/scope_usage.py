"""Daily use of a target's scopes, as the pages, the CSV and the JSON show it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY_SECONDS, start_of_day
from exporter.model import ScopeUsage, UsageHistory
from exporter.presentation.formatting import format_title, iso_day
from exporter.usage_pace import pace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model import Allowance
    from exporter.state.store import TargetState
    from exporter.usage_pace import Pace

_WEEK: Final = 7
_MONTH: Final = 30
_OBSERVED: Final = 2  # days, of which the first is known only in part


class UsageSums(NamedTuple):
    """Use of a scope in windows that end with the current day; None where a day is unknown."""

    today: float
    yesterday: float | None
    last_7_days: float | None
    last_30_days: float | None
    month_to_date: float | None


class TotalUse(NamedTuple):
    """Use of a target in its unit, by day, ending with the current day so far."""

    unit: str
    days: Sequence[float]


def usage_sums(history: UsageHistory) -> UsageSums:
    """The windows of a history."""
    days = history.all_days

    def last(count: int) -> float | None:
        return sum(days[-count:]) if count <= len(days) else None

    yesterday = days[-2] if len(days) > 1 else None
    day_of_month = datetime.fromtimestamp(history.today, UTC).day
    return UsageSums(history.used_today, yesterday, last(_WEEK), last(_MONTH), last(day_of_month))


def first_day(history: UsageHistory) -> float:
    """Midnight that began the first of the known days, Unix seconds."""
    return history.today - DAY_SECONDS * len(history.days)


def date_of(history: UsageHistory, day: int) -> str:
    """The date of a day such as `2026-05-29`; 0 is the current day, -1 the one before it."""
    return iso_day(history.today + day * DAY_SECONDS)


def estimate_of(allowance: Allowance) -> tuple[UsageHistory, Pace] | None:
    """What the forecast was made from, and how; None where there is no forecast."""
    history = allowance.history
    if history is None or allowance.burn_per_day is None:
        return None
    pace = pace_of(history)
    return (history, pace) if pace else None


def scopes_of(state: TargetState) -> tuple[ScopeUsage, ...]:
    """What the vendor reports by day, and what is derived from the totals of allowances."""
    if state.result is None:
        return ()
    derived = (
        ScopeUsage(
            "allowance",
            f"{allowance.account}/{allowance.allowance}",
            format_title(allowance),
            allowance.unit,
            daily_use(state, allowance),
        )
        for allowance in state.result.allowances
        if allowance.cumulative_only
    )
    return (*state.result.scopes, *derived)


def daily_use(state: TargetState, allowance: Allowance) -> UsageHistory | None:
    """The days of an allowance that are known in full, and the current one so far."""
    if not allowance.cumulative_only:
        return allowance.history
    observed = state.daily_usage.get((allowance.account, allowance.allowance))
    if observed is None or len(observed.days) < _OBSERVED:
        return None
    at, _, days = observed
    return UsageHistory(at, start_of_day(at), days[-1], days[1:-1])


def total_use(state: TargetState, count: int) -> TotalUse | None:
    """The use of a target on its last days; None where none is known.

    Args:
        state: the target's.
        count: of days, at most.
    """
    scopes = scopes_of(state)
    if state.result and state.result.scopes:
        scopes = scopes[:1]  # the whole; the others are parts of it
    known = [scope.history for scope in scopes if scope.history and scope.unit == scopes[0].unit]
    if not known:
        return None
    by_day = defaultdict[int, float](float)
    for history in known:
        today = round(history.today / DAY_SECONDS)
        for age, used in enumerate(reversed(history.all_days[-count:])):
            by_day[today - age] += used
    today = max(by_day)
    days = range(max(min(by_day), today - count + 1), today + 1)
    return TotalUse(scopes[0].unit, [by_day[day] for day in days])
