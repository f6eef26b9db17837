"""Use by day as the exporter itself has seen it, where a vendor tells only totals.

A pure fold over the readings of a target. Days are UTC days. What is used between two looks
belongs to the day of both, or is shared out by the time on either side of the midnight between
them; after a longer gap the days begin anew. A total that falls (a renewal, a refund) tells
nothing of use and counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from exporter import forecast

if TYPE_CHECKING:
    from exporter.model import Allowance, PollResult

LONGEST_GAP: Final = forecast.DAY  # seconds between two looks
_KEPT: Final = forecast.HISTORY + 2  # the first day, seen in part, and the current one as well


class UsageHistory(NamedTuple):
    """How an allowance was used.

    Args:
        at: when it was last looked at, Unix seconds.
        used: its total then.
        days: use of consecutive days, oldest first, ending with the day of `at` so far. Of the
            first one only a part may have been seen.
    """

    at: float
    used: int
    days: tuple[int, ...]


UsageByAllowance: TypeAlias = Mapping[tuple[str, str], UsageHistory]
"""By account and name of the allowance."""


def update_usage(
    seen: UsageByAllowance, fresh: PollResult, retained: PollResult, now: float
) -> UsageByAllowance:
    """The usage by day, once a poll has ended.

    Allowances whose total is unknown keep what they have; those that are gone are dropped.

    Args:
        seen: the usage by day before it.
        fresh: what the poll has read.
        retained: the same, with earlier values of what it could not read.
        now: Unix seconds.
    """
    keys = {(allowance.account, allowance.allowance) for allowance in retained.allowances}
    kept = {key: history for key, history in seen.items() if key in keys}
    return kept | {
        (allowance.account, allowance.allowance): _after(
            seen.get((allowance.account, allowance.allowance)), int(allowance.used), now
        )
        for allowance in fresh.allowances
        if allowance.cumulative_only and allowance.used is not None
    }


def _after(before: UsageHistory | None, used: int, now: float) -> UsageHistory:
    if before is None or abs(now - before.at) > LONGEST_GAP:
        return UsageHistory(now, used, (0,))
    now = max(now, before.at)  # a clock put back a little: its time goes on where it was
    more = max(0, used - before.used)
    midnight = _midnight(now)
    *earlier, day = before.days
    if before.at >= midnight:
        return UsageHistory(now, used, (*earlier, day + more))
    until_midnight = round(more * (midnight - before.at) / (now - before.at))
    days = (*earlier, day + until_midnight, more - until_midnight)
    return UsageHistory(now, used, days[-_KEPT:])


def with_exhaustion(poll_result: PollResult, seen: UsageByAllowance) -> PollResult:
    """The reading; what was seen for four complete weeks runs out by its weekdays."""
    allowances = tuple(
        _refined(allowance, seen.get((allowance.account, allowance.allowance)))
        for allowance in poll_result.allowances
    )
    return (
        poll_result
        if allowances == poll_result.allowances
        else replace(poll_result, allowances=allowances)
    )


def _refined(allowance: Allowance, use: UsageHistory | None) -> Allowance:
    available = allowance.available
    if use is None or len(use.days) < _KEPT or available is None or available < 1:
        return allowance
    if allowance.end is not None and allowance.end <= use.at:
        return allowance  # it is over: nothing runs out any more
    *history, used_today = use.days[1:]
    out = forecast.run_out_by_weekdays(history, _midnight(use.at), used_today, int(available))
    return replace(allowance, exhaustion=out)


def _midnight(moment: float) -> float:
    return moment - moment % forecast.DAY
