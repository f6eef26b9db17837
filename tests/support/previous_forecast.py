"""The estimate that the present one replaced: plain weekday means of four weeks.

A reference copy, with which the present estimate is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_WEEK: Final = 7
_WEEKS: Final = 4


def exhaustion_in_days(history: Sequence[int], used_today: int, available: int) -> float | None:
    """Days after the midnight that began the current day; None where nothing is used.

    Args:
        history: use of the complete days before the current one, oldest first; the last 28 count.
        used_today: use so far.
        available: what is left now, above 0.
    """
    days = history[-_WEEK * _WEEKS :]
    week = [max(0, sum(days[weekday::_WEEK])) for weekday in range(_WEEK)]
    if not any(week):
        return None
    left = _WEEKS * (available + max(0, used_today))
    expected = max(week[0], _WEEKS * used_today)
    if left <= expected:
        return left / expected
    weeks, left = divmod(left - expected - 1, sum(week))
    left += 1
    ahead = 1
    while left > week[ahead % _WEEK]:
        left -= week[ahead % _WEEK]
        ahead += 1
    return _WEEK * weeks + ahead + left / week[ahead % _WEEK]
