"""When an allowance runs out, how sure that is, and what will be used when its period ends.

Pure arithmetic: the forecast walks forward from the current day, each day at the expected use of
`usage_pace`. docs/forecast.md explains each step and how accurate it is.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY_SECONDS, start_of_day
from exporter.model import UsageHistory
from exporter.usage_pace import DAY_MEMORY, MAX_DAYS_AHEAD, WEEK, pace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model import Allowance
    from exporter.usage_pace import Pace

# The range, chosen so that 8 of 10 true moments lie within.
_SPREAD: Final = 1.65  # times the mean error of forecasts for one week
_SPREAD_POWER: Final = 0.9  # of the number of weeks ahead
_SPREAD_HOURS: Final = 0.2  # days: use is not even over the hours of a day


class ProjectedUse(NamedTuple):
    """The total expected at a moment, Unix seconds; in 8 of 10 cases it is in the range."""

    at: float
    used: float
    low: float
    high: float


def history_of_total(allowance: Allowance, at: float, seen: Sequence[int]) -> UsageHistory:
    """The history of an allowance whose vendor reports only a total.

    Before the observed days, the mean pace of the period counts, and before its start that of the
    period before.

    Args:
        allowance: its `used` is the total since `start`.
        at: when it was read, Unix seconds.
        seen: use of consecutive days as observed, ending with the current one so far; the first
            was observed in part.
    """
    today = start_of_day(at)
    days_seen = seen[1:]
    first = today - DAY_SECONDS * (len(days_seen) - 1) if days_seen else at
    start, previous_start = allowance.start, allowance.previous_start
    days = previous_days = per_day = previous_per_day = 0.0
    if start is not None and allowance.used is not None and start < first:
        days = max(1.0, (first - start) / DAY_SECONDS)
        per_day = max(0.0, allowance.used - sum(days_seen)) / days
    if start is not None and previous_start is not None and allowance.previous_used is not None:
        previous_days = max(0.0, (min(start, first) - previous_start) / DAY_SECONDS)
        elapsed = max(1.0, (start - previous_start) / DAY_SECONDS)
        previous_per_day = allowance.previous_used / elapsed
    # What is left of the weight of a day once it is so many days in the past.
    previous_weight = DAY_MEMORY**days * (1 - DAY_MEMORY**previous_days)
    weight = 1 - DAY_MEMORY**days + previous_weight
    if weight:
        per_day += (previous_per_day - per_day) * previous_weight / weight
    days += previous_days
    if days_seen:
        return UsageHistory(at, today, days_seen[-1], days_seen[:-1], per_day, days)
    # What the current day used before the first observation is unknown: it counts as even.
    return UsageHistory(at, today, per_day * (at - today) / DAY_SECONDS, (), per_day, days)


def with_forecast(allowance: Allowance, usage: UsageHistory) -> Allowance:
    """The allowance with its usage, and what is expected from that; None where it is unknown."""
    pace = pace_of(usage)
    is_over = allowance.end is not None and allowance.end <= usage.at
    earliest = expected = latest = projected = None
    if pace and allowance.end is not None and allowance.used is not None:
        projected = allowance.used + (0.0 if is_over else _use_until(pace, usage, allowance.end))
    if pace and allowance.available is not None and allowance.allowed != 0:
        if allowance.available <= 0:
            earliest = expected = latest = _exhaustion_day(usage, allowance)
        elif pace.per_day and not is_over:
            expected = _when_used(pace, usage, allowance.available)
            margin = _margin(pace, (expected - usage.at) / DAY_SECONDS)
            earliest = _when_used(pace, usage, allowance.available - margin)
            latest = _when_used(pace, usage, allowance.available + margin)
    return replace(
        allowance,
        history=usage,
        burn_per_day=pace.per_day if pace else None,
        exhaustion=expected,
        exhaustion_earliest=earliest,
        exhaustion_latest=latest,
        projected_used=projected,
    )


def projection(
    pace: Pace | None, usage: UsageHistory, allowance: Allowance, end: float
) -> list[ProjectedUse]:
    """The total from the figures on: now, at each midnight, and at `end`, Unix seconds.

    Empty where the total or the pace is unknown.
    """
    if pace is None or allowance.used is None:
        return []
    so_far, used, at = max(0.0, usage.used_today), allowance.used, usage.at
    points = [ProjectedUse(at, used, used, used)]
    day, more = 0, max(0.0, pace.of_day(0) - so_far)
    while at < end:
        midnight = usage.today + DAY_SECONDS * (day + 1)
        until = min(midnight, end)
        begin = usage.at if day == 0 else midnight - DAY_SECONDS
        used += more * (until - begin) / (midnight - begin)
        margin = _margin(pace, (until - usage.at) / DAY_SECONDS)
        points.append(ProjectedUse(until, used, max(allowance.used, used - margin), used + margin))
        at, day = until, day + 1
        more = pace.of_day(day)
    return points


def _exhaustion_day(usage: UsageHistory, allowance: Allowance) -> float | None:
    """Midnight of the day that used the rest of a used-up allowance, as far as days are known.

    If a refund gave something back, the day on which that was used.
    """
    start, used, allowed = allowance.start, allowance.used, allowance.allowed
    if start is None or used is None or used <= 0 or not allowed:
        return None
    count = min(round((usage.today - start) / DAY_SECONDS), len(usage.days))
    if count < 0:
        return None
    days = (*usage.days[len(usage.days) - count :], usage.used_today)
    before = accumulate(days[:-1], initial=used - sum(days))
    last = max((day for day, total in enumerate(before) if total < allowed), default=0)
    return usage.today - DAY_SECONDS * (count - last)


def _when_used(pace: Pace, usage: UsageHistory, more: float) -> float:
    """When so much more will have been used, Unix seconds."""
    if more <= 0:
        return usage.at
    left = more + max(0.0, usage.used_today)
    day, expected = 0, max(pace.of_day(0), usage.used_today)
    while left > expected and day < MAX_DAYS_AHEAD:
        left -= expected
        day += 1
        expected = pace.of_day(day)
    if left > expected:
        expected = sum(pace.week) / WEEK
    return max(usage.at, usage.today + DAY_SECONDS * (day + left / expected))


def _use_until(pace: Pace, usage: UsageHistory, end: float) -> float:
    """Expected use from the figures on until `end`, Unix seconds."""
    so_far = max(0.0, usage.used_today)
    days, part = divmod((end - usage.today) / DAY_SECONDS, 1.0)
    expected = [max(pace.of_day(0), so_far), *map(pace.of_day, range(1, int(days) + 1))]
    return max(0.0, sum(expected[:-1]) + part * expected[-1] - so_far)


def _margin(pace: Pace, days: float) -> float:
    """The error in use, for so many days ahead, that 8 of 10 forecasts do not exceed."""
    hours = _SPREAD_HOURS * sum(pace.week) / WEEK
    weeks: float = (days / WEEK) ** _SPREAD_POWER
    return _SPREAD * pace.error * weeks + hours
