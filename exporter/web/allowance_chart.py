"""Which figures the picture of an allowance shows."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY_SECONDS, start_of_day
from exporter.forecast import projection
from exporter.presentation.formatting import format_number, format_title, is_used_up
from exporter.presentation.outlook import format_day, format_outlook
from exporter.presentation.scope_usage import daily_use
from exporter.usage_pace import pace_of
from exporter.web.charts import Moment, Totals, UsageChart

if TYPE_CHECKING:
    from exporter.forecast import ProjectedUse
    from exporter.model import Allowance, ScopeUsage, UsageHistory
    from exporter.state.store import TargetSnapshot, TargetState
    from exporter.usage_pace import Pace

_BEFORE: Final = 27 * DAY_SECONDS  # shown before the current day, at least
_LONGEST: Final = 366 * DAY_SECONDS  # shown before or after the current day, at most
_OPEN_END: Final = (14 * DAY_SECONDS, 28 * DAY_SECONDS)  # shown after it where no period ends
_WITHOUT_ALLOWANCE: Final = 92  # days


class _Days(NamedTuple):
    """Use of consecutive days, the last one (`today`) so far until `at`."""

    today: float
    at: float
    used: list[float]

    @property
    def first(self) -> float:
        return self.today - DAY_SECONDS * (len(self.used) - 1)

    def since(self, moment: float) -> _Days:
        """The days that end after it, the last one in any case."""
        count = max(1, ceil((self.today + DAY_SECONDS - moment) / DAY_SECONDS))
        return self._replace(used=self.used[-count:])


def allowance_chart(snapshot: TargetSnapshot, allowance: Allowance, now: float) -> UsageChart:
    """The picture of an allowance; without a forecast where its values have expired.

    Args:
        snapshot: the target.
        allowance: one of its last result.
        now: Unix seconds.
    """
    days = _days(snapshot.state, allowance, now)
    begin, end = _range(allowance, days, now)
    is_over = allowance.end is not None and allowance.end <= now
    is_forecast = allowance.burn_per_day is not None and not (is_over or snapshot.is_stale)
    history = allowance.history if is_forecast else None
    pace = pace_of(history) if history else None
    projected = _projected(pace, history, allowance, days, end) if history else []
    name = format_title(allowance)
    return UsageChart(
        label=f"Use of {name}",
        description=_description(allowance, now, is_stale=snapshot.is_stale),
        begin=begin,
        end=end,
        title=f"{allowance.unit} per day",
        first=days.since(begin).first,
        days=days.since(begin).used,
        expected=_expected(pace, days, end) if pace else (),
        now=Moment(now, f"today, {format_day(now)}") if begin <= now <= end else None,
        start=allowance.start if allowance.start and begin < allowance.start <= end else None,
        totals=_totals(allowance, days, projected, now),
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
        title=f"{scope.unit} per day",
        first=first,
        days=used,
        now=Moment(now, f"today, {format_day(now)}") if now <= end else None,
    )


def _days(state: TargetState, allowance: Allowance, now: float) -> _Days:
    """What is known by day; where that is nothing, a current day without use."""
    read_at = state.succeeded_at or now
    history = daily_use(state, allowance)
    if history is None:
        today = start_of_day(read_at)
        return _Days(today, read_at, [0.0])
    used = history.all_days
    at = min(max(read_at, history.today), history.today + DAY_SECONDS)
    return _Days(history.today, at, used)


def _range(allowance: Allowance, days: _Days, now: float) -> tuple[float, float]:
    """The time that is shown: the period, at least four weeks, at most a year back and ahead."""
    start = days.first if allowance.start is None else allowance.start
    last = days.today if allowance.end is None else min(days.today, allowance.end)
    begin = max(min(start, last - _BEFORE), min(start, days.first, last), last - _LONGEST)
    if allowance.end is None:
        least, usual = _OPEN_END
        out = allowance.exhaustion_latest or allowance.exhaustion or now + usual
        end = max(out, now + least)
    else:
        end = allowance.end
    begin = start_of_day(begin)
    return begin, max(min(end, max(now, days.at) + _LONGEST), begin + DAY_SECONDS)


def _projected(
    pace: Pace | None, history: UsageHistory, allowance: Allowance, days: _Days, end: float
) -> list[ProjectedUse]:
    points = projection(pace, history, allowance, end)
    if len(points) > 1 and points[0].at < days.at < points[1].at:
        points[0] = points[0]._replace(at=days.at)
    return points


def _expected(pace: Pace, days: _Days, end: float) -> list[float]:
    """Use of the rest of the current day and of those after it."""
    coming = range(1, max(1, round((end - days.today) / DAY_SECONDS)))
    return [max(0.0, pace.of_day(0) - days.used[-1]), *map(pace.of_day, coming)]


def _totals(
    allowance: Allowance, days: _Days, projected: list[ProjectedUse], now: float
) -> Totals | None:
    """The running total; None where the total is unknown."""
    if allowance.used is None:
        return None
    start = days.first if allowance.start is None else allowance.start
    used = days.since(start_of_day(start)).used
    first = max(days.today - DAY_SECONDS * (len(used) - 1), start)
    total = max(0.0, allowance.used - sum(used))
    before = [(start, 0.0), (first, total)] if total else []
    points = [(first, total)]
    for day, count in enumerate(used, 1 - len(used)):
        total += count
        points.append((min(days.today + DAY_SECONDS * (day + 1), days.at), total))
    limit = allowance.allowed
    return Totals(
        title=f"{allowance.unit} used, in total",
        points=points,
        unobserved=before,
        projection=projected,
        limit=(limit, f"{format_number(limit)} purchased") if limit else None,
        exhaustion=_exhaustion(allowance, projected, now),
    )


def _exhaustion(allowance: Allowance, projected: list[ProjectedUse], now: float) -> Moment | None:
    """When it is used up, if that is within the projection or has happened."""
    at = allowance.exhaustion
    if at is None:
        return None
    if is_used_up(allowance):
        is_shown = (allowance.start or 0.0) <= at <= now
        return Moment(at, f"used up {format_day(at)}") if is_shown else None
    if not projected or at > projected[-1].at:
        return None
    return Moment(at, f"runs out {format_day(at)}")


def _description(allowance: Allowance, now: float, *, is_stale: bool) -> str:
    """The facts of the picture; the current state of expired values is unknown."""
    if is_stale:
        used = "an unknown number" if allowance.used is None else format_number(allowance.used)
        return f"When the values were read, {used} of the {allowance.unit} had been used."
    return format_outlook(allowance, now)
