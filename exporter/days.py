"""Calendar days and months in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY: Final = timedelta(days=1)
DAY_SECONDS: Final = 86_400


def midnight(day: date) -> datetime:
    """When the day begins."""
    return datetime.combine(day, time(), UTC)


def midnight_seconds(day: date) -> float:
    """When the day begins, Unix seconds."""
    return midnight(day).timestamp()


def start_of_day(moment: float) -> float:
    """When the day of a moment begins; both in Unix seconds."""
    return moment - moment % DAY_SECONDS


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last, both included."""
    return map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))


def next_month(day: date) -> date:
    """The first day of the month after that of `day`."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
