"""Usage by day, derived from totals, for allowances whose vendor reports no usage by day.

A pure fold over the results of a target. Days are UTC days. Usage between two polls belongs to
the day of both, or is divided at midnight in proportion to time; after a gap of more than a day
the history starts over. A total that falls (a renewal, a refund) counts as no usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from exporter.days import DAY_SECONDS, start_of_day
from exporter.forecast import history_of_total, with_forecast
from exporter.usage_pace import WEEK

if TYPE_CHECKING:
    from exporter.model import Allowance, PollResult

MAX_GAP: Final = DAY_SECONDS  # seconds between two polls
_PARTIAL: Final = 2  # the first day and the current one
_MIN_DAYS: Final = WEEK + _PARTIAL
_MAX_DAYS: Final = 8 * WEEK + _PARTIAL


class ObservedUsage(NamedTuple):
    """Daily usage of an allowance.

    Args:
        at: time of the last poll, Unix seconds.
        used: the total at that time.
        days: usage of consecutive days, oldest first, ending with the day of `at` so far. The
            first day may be known only in part.
    """

    at: float
    used: int
    days: tuple[int, ...]


UsageByAllowance: TypeAlias = Mapping[tuple[str, str], ObservedUsage]
"""By account and allowance identifier."""


def update_usage(
    usage: UsageByAllowance, fresh: PollResult, retained: PollResult, now: float
) -> UsageByAllowance:
    """The usage by day, once a poll has ended.

    Allowances whose total is unknown keep what they have; those that are gone are dropped.

    Args:
        usage: the usage by day before it.
        fresh: what the poll has read.
        retained: the same, with earlier values of what it could not read.
        now: Unix seconds.
    """
    keys = {(allowance.account, allowance.allowance) for allowance in retained.allowances}
    kept = {key: history for key, history in usage.items() if key in keys}
    return kept | {
        (allowance.account, allowance.allowance): _update(
            usage.get((allowance.account, allowance.allowance)), int(allowance.used), now
        )
        for allowance in fresh.allowances
        if allowance.cumulative_only and allowance.used is not None
    }


def _update(history: ObservedUsage | None, used: int, now: float) -> ObservedUsage:
    if history is None or abs(now - history.at) > MAX_GAP:
        return ObservedUsage(now, used, (0,))
    now = max(now, history.at)  # the wall clock was set back a little
    more = max(0, used - history.used)
    midnight = start_of_day(now)
    *earlier, day = history.days
    if history.at >= midnight:
        return ObservedUsage(now, used, (*earlier, day + more))
    until_midnight = round(more * (midnight - history.at) / (now - history.at))
    days = (*earlier, day + until_midnight, more - until_midnight)
    return ObservedUsage(now, used, days[-_MAX_DAYS:])


def with_exhaustion(result: PollResult, usage: UsageByAllowance) -> PollResult:
    """The result with forecasts by weekday for allowances with a complete week of usage."""
    if not usage:
        return result
    allowances = tuple(
        _with_exhaustion(allowance, usage.get((allowance.account, allowance.allowance)))
        for allowance in result.allowances
    )
    return replace(result, allowances=allowances)


def _with_exhaustion(allowance: Allowance, history: ObservedUsage | None) -> Allowance:
    if history is None or len(history.days) < _MIN_DAYS:
        return allowance
    if allowance.end is not None and allowance.end <= history.at:
        return allowance  # expired: nothing is used any more
    return with_forecast(allowance, history_of_total(allowance, history.at, history.days))
