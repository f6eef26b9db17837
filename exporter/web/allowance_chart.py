"""Which figures the picture of an allowance shows."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Final

from exporter.days import DAY_SECONDS, start_of_day
from exporter.forecast import projection
from exporter.model import UsageHistory
from exporter.presentation.formatting import format_number, format_title, is_used_up
from exporter.presentation.outlook import format_day, format_outlook
from exporter.presentation.scope_usage import daily_use, first_day
from exporter.web.charts import Totals, UsageChart

if TYPE_CHECKING:
    from exporter.forecast import ProjectedUse
    from exporter.model import Allowance, ScopeUsage
    from exporter.state.store import TargetSnapshot, TargetState
    from exporter.usage_pace import Pace

_BEFORE: Final = 27 * DAY_SECONDS  # shown before the current day, at least
_LONGEST: Final = 366 * DAY_SECONDS  # shown before or after the current day, at most
_OPEN_END: Final = (14 * DAY_SECONDS, 28 * DAY_SECONDS)  # shown after it where no period ends
_WITHOUT_ALLOWANCE: Final = 92  # days


def allowance_chart(
    snapshot: TargetSnapshot,
    allowance: Allowance,
    estimate: tuple[UsageHistory, Pace] | None,
    now: float,
) -> UsageChart:
    """The picture of an allowance.

    Args:
        snapshot: the target.
        allowance: one of its last result.
        estimate: what its forecast was made from, and how; None where none is shown.
        now: Unix seconds.
    """
    known = _known_use(snapshot.state, allowance, now)
    start = first_day(known) if allowance.start is None else allowance.start
    begin, end = _range(allowance, known, start, now)
    first, days = _days_since(known, begin)
    projected: list[ProjectedUse] = []
    expected: list[float] = []
    if estimate and (allowance.end is None or allowance.end > now):
        history, pace = estimate
        projected = _projected(pace, history, allowance, known.at, end)
        expected = _expected(pace, known, end)
    return UsageChart(
        label=f"Use of {format_title(allowance)}",
        description=_description(allowance, now, is_stale=snapshot.is_stale),
        begin=begin,
        end=end,
        unit=allowance.unit,
        first=first,
        days=days,
        expected=expected,
        now=now,
        start=allowance.start if allowance.start and begin < allowance.start <= end else None,
        totals=_totals(allowance, known, start, projected),
    )


def scope_chart(scope: ScopeUsage, now: float) -> UsageChart | None:
    """The picture of daily use where there is no allowance; None where none is known."""
    history = scope.history
    if history is None:
        return None
    used = history.all_days[-_WITHOUT_ALLOWANCE:]
    first = history.today - DAY_SECONDS * (len(used) - 1)
    end = history.today + DAY_SECONDS
    return UsageChart(
        label=f"Use of {scope.name or scope.value}",
        description=(
            f"{format_number(sum(used))} {scope.unit} were used on the last {len(used)} days, "
            f"at most {format_number(max(used))} on a day, {format_number(used[-1])} on the "
            f"current day so far."
        ),
        begin=min(first, end - 14 * DAY_SECONDS),
        end=end,
        unit=scope.unit,
        first=first,
        days=used,
        now=now,
    )


def _known_use(state: TargetState, allowance: Allowance, now: float) -> UsageHistory:
    """What is known by day until the last poll; where that is nothing, a day without use."""
    read_at = state.succeeded_at or now
    history = daily_use(state, allowance) or UsageHistory(read_at, start_of_day(read_at), 0.0, ())
    return replace(history, at=min(max(read_at, history.today), history.today + DAY_SECONDS))


def _days_since(known: UsageHistory, moment: float) -> tuple[float, list[float]]:
    """The days that end after a moment, the current one in any case: the first, and their use."""
    count = max(1, ceil((known.today + DAY_SECONDS - moment) / DAY_SECONDS))
    days = known.all_days[-count:]
    return known.today - DAY_SECONDS * (len(days) - 1), days


def _range(
    allowance: Allowance, known: UsageHistory, start: float, now: float
) -> tuple[float, float]:
    """The time that is shown: the period, at least four weeks, at most a year back and ahead."""
    last = known.today if allowance.end is None else min(known.today, allowance.end)
    begin = max(min(start, last - _BEFORE), min(start, first_day(known), last), last - _LONGEST)
    if allowance.end is None:
        least, usual = _OPEN_END
        out = allowance.exhaustion_latest or allowance.exhaustion or now + usual
        end = max(out, now + least)
    else:
        end = allowance.end
    begin = start_of_day(begin)
    return begin, max(min(end, max(now, known.at) + _LONGEST), begin + DAY_SECONDS)


def _projected(
    pace: Pace, history: UsageHistory, allowance: Allowance, read_at: float, end: float
) -> list[ProjectedUse]:
    points = projection(pace, history, allowance, end)
    if len(points) > 1 and points[0].at < read_at < points[1].at:
        points[0] = points[0]._replace(at=read_at)
    return points


def _expected(pace: Pace, known: UsageHistory, end: float) -> list[float]:
    """Use of the rest of the current day and of those after it."""
    coming = range(1, max(1, round((end - known.today) / DAY_SECONDS)))
    return [max(0.0, pace.of_day(0) - known.used_today), *map(pace.of_day, coming)]


def _totals(
    allowance: Allowance, known: UsageHistory, start: float, projected: list[ProjectedUse]
) -> Totals | None:
    """The running total; None where the total is unknown."""
    if allowance.used is None:
        return None
    midnight, used = _days_since(known, start_of_day(start))
    first = max(midnight, start)
    total = max(0.0, allowance.used - sum(used))
    before = [(start, 0.0), (first, total)] if total else []
    points = [(first, total)]
    for count in used:
        total += count
        midnight += DAY_SECONDS
        points.append((min(midnight, known.at), total))
    limit = allowance.allowed
    return Totals(
        points=points,
        unobserved=before,
        projection=projected,
        limit=(limit, f"{format_number(limit)} purchased") if limit else None,
        exhaustion=_exhaustion(allowance, projected),
    )


def _exhaustion(allowance: Allowance, projected: list[ProjectedUse]) -> tuple[float, str] | None:
    """When it is used up, if that is within the projection or has happened."""
    at = allowance.exhaustion
    if at is None:
        return None
    if is_used_up(allowance):
        is_shown = at >= (allowance.start or 0.0)
        return (at, f"used up {format_day(at)}") if is_shown else None
    if not projected or at > projected[-1].at:
        return None
    return at, f"runs out {format_day(at)}"


def _description(allowance: Allowance, now: float, *, is_stale: bool) -> str:
    """The facts of the picture; the current state of expired values is unknown."""
    if is_stale:
        used = "an unknown number" if allowance.used is None else format_number(allowance.used)
        return f"When the values were read, {used} of the {allowance.unit} had been used."
    return format_outlook(allowance, now)
