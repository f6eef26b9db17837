"""Synthetic daily usage of the kinds that accounts show: seeded, so that a name gives one series.

A case is an allowance at one moment: what was used on each day before, so far today, and on the
days to come. Levels run from seven documents a day to thousands, noise from 5 % to 25 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import exp
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

PAST: Final = 366
COMING: Final = 75
_ONE_DAY: Final = timedelta(days=1)
_OFFICE: Final = (1.0, 1.12, 1.08, 1.05, 0.9, 0.16, 0.07)  # Monday first
_SHOP: Final = (0.8, 0.8, 0.9, 1.0, 1.3, 1.4, 0.8)
_EVEN: Final = (1.0,) * 7
_HOLIDAYS: Final = frozenset({(1, 1), (1, 2), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)})

Factors: TypeAlias = list[float]
"""Expected use of each day, oldest first; 1 is an ordinary day."""


@dataclass(frozen=True, slots=True)
class Case:
    """An allowance at one moment.

    Args:
        today: the current day.
        past: use of the complete days before it, oldest first.
        coming: use of the current day and of the days after it.
        hour: of the current day, 0 to 24.
    """

    today: date
    past: tuple[int, ...]
    coming: tuple[int, ...]
    hour: float

    @property
    def used_today(self) -> int:
        """So far."""
        return int(self.coming[0] * done(self.hour))

    def use_until(self, day: int, hour: float) -> int:
        """From the case's moment until an hour of a day to come (0 is the current day)."""
        return sum(self.coming[:day]) + int(self.coming[day] * done(hour)) - self.used_today

    def moment_of(self, available: int) -> float:
        """When that much more will have been used: days after the midnight before today."""
        left = available + self.used_today
        for day, used in enumerate(self.coming):
            if used >= left:
                return day + _hour_when(left / used) / 24
            left -= used
        raise ValueError("the coming days use less than that")


def done(hour: float) -> float:
    """The share of a day's use that is done: most of it between 07:00 and 19:00."""
    return 0.15 * hour / 24 + 0.85 * min(max((hour - 7) / 12, 0.0), 1.0)


def _hour_when(share: float) -> float:
    """The hour at which a share of a day's use is done."""
    low, high = 0.0, 24.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if done(middle) < share else (low, middle)
    return high


def make(kind: str, number: int) -> Case:
    """A case of a kind in `KINDS`."""
    rng = Random(f"{kind}/{number}")  # noqa: S311  a simulation, no secret
    today = date(2025, 1, 1) + rng.randrange(730) * _ONE_DAY
    days = [today + day * _ONE_DAY for day in range(-PAST, COMING)]
    factors = KINDS[kind](rng, days)
    level = exp(rng.uniform(2.0, 8.0))
    noise = rng.uniform(0.05, 0.25)
    use = tuple(_draw(rng, level * factor, noise) for factor in factors)
    return Case(today, use[:PAST], use[PAST:], rng.uniform(0.0, 24.0))


def _draw(rng: Random, expected: float, noise: float) -> int:
    """Counts with the noise of a share and that of small numbers."""
    spread = (expected + (noise * expected) ** 2) ** 0.5
    return max(0, round(rng.gauss(expected, spread)))


def _weekdays(rng: Random, days: list[date]) -> Factors:
    week = [share * rng.uniform(0.8, 1.2) for share in rng.choice((_OFFICE, _OFFICE, _SHOP))]
    return [week[day.weekday()] for day in days]


def _even(rng: Random, days: list[date]) -> Factors:
    scale = rng.uniform(0.5, 2.0)
    return [scale] * len(days)


def _growth(rng: Random, days: list[date]) -> Factors:
    rate = rng.uniform(-0.5, 1.2) / 365
    return [factor * exp(rate * (age - PAST)) for age, factor in enumerate(_weekdays(rng, days))]


def _month_end(rng: Random, days: list[date]) -> Factors:
    """More on the last three days of each month, or on the first three."""
    last, first = rng.choice(((3.0, 1.0), (1.8, 1.0), (2.5, 1.6), (1.0, 2.5), (4.0, 0.6)))
    return [
        factor * (last if (day + 3 * _ONE_DAY).day <= 3 else first if day.day <= 3 else 1.0)
        for day, factor in zip(days, _weekdays(rng, days), strict=True)
    ]


def _working_month_end(rng: Random, days: list[date]) -> Factors:
    """More on the last three working days of each month."""
    peak = rng.uniform(1.6, 4.0)
    factors = _weekdays(rng, days)
    return [
        factor * (peak if day.weekday() < 5 and _working_days_left(day) < 3 else 1.0)
        for day, factor in zip(days, factors, strict=True)
    ]


def _working_days_left(day: date) -> int:
    """Working days after this one in its month."""
    left = 0
    while (day := day + _ONE_DAY).day != 1:
        left += day.weekday() < 5
    return left


def _holidays(rng: Random, days: list[date]) -> Factors:
    """Public holidays, a closed week after Christmas, and others here and there."""
    others = {rng.randrange(len(days)) for _ in range(14)}
    closed = rng.random() < 0.5
    return [
        factor
        * (
            rng.uniform(0.0, 0.1)
            if (day.month, day.day) in _HOLIDAYS
            or at in others
            or (closed and day.month == 12 and day.day > 24)
            else 1.0
        )
        for at, (day, factor) in enumerate(zip(days, _weekdays(rng, days), strict=True))
    ]


def _onboarding(rng: Random, days: list[date]) -> Factors:
    """First used one to four weeks ago."""
    return _since(PAST - rng.randint(7, 27), _weekdays(rng, days))


def _first_days(rng: Random, days: list[date]) -> Factors:
    """First used less than a week ago."""
    return _since(PAST - rng.randint(1, 6), _weekdays(rng, days))


def _since(first: int, factors: Factors) -> Factors:
    return [0.0 if at < first else factor for at, factor in enumerate(factors)]


def _level_shift(rng: Random, days: list[date]) -> Factors:
    """A new level since 4 to 40 days ago, from a quarter to five times the old one."""
    since = PAST - rng.randint(4, 40)
    shift = exp(rng.uniform(-1.4, 1.6))
    return [
        factor * (shift if at >= since else 1.0) for at, factor in enumerate(_weekdays(rng, days))
    ]


def _batch(rng: Random, days: list[date]) -> Factors:
    """All of a week's use on one or two of its days."""
    first = rng.randrange(7)
    chosen = {first, (first + rng.choice((0, 3))) % 7}
    return [
        (7.0 / len(chosen)) * rng.uniform(0.6, 1.4) if day.weekday() in chosen else 0.0
        for day in days
    ]


def _intermittent(rng: Random, days: list[date]) -> Factors:
    """Use on a few days of chance, of any size."""
    chance = rng.uniform(0.15, 0.5)
    return [rng.expovariate(1.0) / chance if rng.random() < chance else 0.0 for _ in days]


def _bulk(rng: Random, days: list[date]) -> Factors:
    """One day of the last six weeks was a bulk run of 5 to 20 days' use."""
    factors = _weekdays(rng, days)
    factors[PAST - rng.randint(1, 42)] += rng.uniform(5.0, 20.0)
    return factors


KINDS: Final[dict[str, Callable[[Random, list[date]], Factors]]] = {
    "weekdays": _weekdays,
    "even": _even,
    "growth": _growth,
    "month end": _month_end,
    "month end, working days": _working_month_end,
    "holidays": _holidays,
    "first days": _first_days,
    "onboarding": _onboarding,
    "level shift": _level_shift,
    "batch": _batch,
    "intermittent": _intermittent,
    "bulk run": _bulk,
}
