"""When an allowance runs out: pure arithmetic on what is left and on how it was used."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY: Final = 86_400.0
WEEK: Final = 7
WEEKS: Final = 4
HISTORY: Final = WEEK * WEEKS


def mean_per_day(days: Sequence[int]) -> float:
    """Mean use a day over the last 28 complete days.

    Args:
        days: use of each of these days, oldest first.
    """
    return max(0.0, sum(days) / len(days))


def run_out_by_weekdays(
    history: Sequence[int], today: float, used_today: int, available: int
) -> float | None:
    """When what is left will be used up, Unix seconds; None where nothing is used.

    Walks forward from `today` a day at a time; each day is expected to use what the same weekday
    used on average over the last four weeks, evenly over its hours. Today is expected to use that
    as well, or what it has used already where that is more.

    Args:
        history: use of the 28 complete days before today, oldest first.
        today: midnight that began the current day, Unix seconds.
        used_today: use so far today.
        available: what is left now, above 0.
    """
    # Sums of four weeks instead of means: whole numbers stay exact over any distance.
    week = [max(0, sum(history[weekday::WEEK])) for weekday in range(WEEK)]
    if not any(week):
        return None
    left = WEEKS * (available + max(0, used_today))
    expected = max(week[0], WEEKS * used_today)
    if left <= expected:
        return today + DAY * left / expected
    # What today leaves lasts some whole weeks, skipped at once, and then at most one more.
    weeks, left = divmod(left - expected - 1, sum(week))
    left += 1
    days = 1
    while left > week[days % WEEK]:
        left -= week[days % WEEK]
        days += 1
    return today + DAY * (WEEK * weeks + days + left / week[days % WEEK])


def day_of_run_out(days: Sequence[int], allowed: int) -> int | None:
    """On which of `days` an allowance that they have used up was used up for good: 0 for the first.

    None where nothing was used. Where a refund gave something back, what came after it counts.
    """
    total = list(accumulate(days))
    if total[-1] <= 0:
        return None
    return 1 + max((day for day, used in enumerate(total) if used < allowed), default=-1)


def run_out_by_mean(burn_per_day: float, now: float, available: float) -> float | None:
    """The moment at which `available` is used up at a mean pace; None where nothing is used."""
    return now + DAY * available / burn_per_day if burn_per_day > 0 else None
