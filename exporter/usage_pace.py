"""The expected use of each day to come, from the daily usage so far.

The history is cleaned of what does not recur and reduced to the expected use of each weekday, with
factors for the first and last days of a month.
"""

from __future__ import annotations

from datetime import date
from itertools import cycle, dropwhile, groupby, pairwise
from math import log
from statistics import fmean, median
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY_SECONDS, next_month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.model import UsageHistory

WEEK: Final = 7
BURN_WINDOW: Final = 4 * WEEK
HISTORY_DAYS: Final = 366
"""Complete days that a forecast makes use of."""

DAY_MEMORY: Final = 0.97
"""Weight of a day relative to the next, in the first four weeks."""

_EPOCH: Final = date(1970, 1, 1).toordinal()
_WINDOW: Final = 8 * WEEK  # days from which the weekdays are taken
_MIN_WORKING_SHARE: Final = 0.3  # of the mean day, below which a weekday is no working day

_OUTLIER_FACTOR: Final = 2.0  # times the second largest day: more is not expected to recur
_OUTLIER_DAYS: Final = 8  # days of use; with fewer, any day may be usual

_MIN_DAYS_FOR_OUTLIERS: Final = 3 * WEEK  # days, below which no day can be called unusual
_HOLIDAY: Final = 0.3  # times the weekday's median: a holiday
_USUAL: Final = 0.5  # times the weekday's median: a holiday before it has ended
_HOLIDAYS: Final = 0.25  # of the days: more low days than these are no holidays
_STEADY: Final = 8.0  # median use a day, below which low days are chance
_JUMPS: Final = ((1.5, 4), (0.5, 8))  # times the weekday's median, for so many working days

_EDGE: Final = 3  # days at either edge of a month
_EDGE_SEARCH: Final = 10  # days of which at least three are working days
_EDGE_MARGIN: Final = 5  # last days of a month that are not used as a standard
_EDGE_FACTOR: Final = 1.25  # the median of the months is at least that far from usual
_EDGE_CLEAR: Final = 1.1  # and so is at least
_EDGE_SHARE: Final = 0.8  # of the months by this factor
_EDGE_MONTHS: Final = 3  # with that many of them

_MEMORIES: Final = (0.95, 0.7, 0.4)  # weight of a week relative to the week after it
_EARLY: Final = 4 * WEEK  # days, below which weekdays are shrunk towards the mean
_SHRINKAGE: Final = 0.3  # days of the mean that are added to each weekday
_EARLY_ERROR: Final = (0.06, 0.35)  # of a week's use, and that divided by the root of the days
MAX_DAYS_AHEAD: Final = 366  # days with a use of their own; beyond, the mean is precise enough


class CountedDay(NamedTuple):
    """A day that counts with another use than its own; -1 is the day before the current one."""

    day: int
    use: float
    counted: float


class Pace(NamedTuple):
    """Expected use of each day to come, and how it was found.

    Args:
        week: by weekday, that of the current day first.
        factors: of days at the edges of months, by days from the current one.
        error: mean absolute error of a week's forecast.
        weekdays: the week's use, Monday first.
        days: how many complete days it was made from, those before the first use not counted.
        window: how many of them gave the use of the weekdays.
        capped: days with a bulk run.
        holidays: days with hardly any use.
        jump: the day since which use is at another level, and by what the days before it were
            multiplied, if any.
        edges: factors of the first and last three days of a month; empty where there are none.
        counts_working_days: whether these are working days, not calendar days.
    """

    week: Sequence[float]
    factors: Mapping[int, float]
    error: float
    weekdays: tuple[float, ...]
    days: int
    window: int
    capped: tuple[CountedDay, ...]
    holidays: tuple[CountedDay, ...]
    jump: tuple[int, float] | None
    edges: tuple[float, ...]
    counts_working_days: bool

    def of_day(self, day: int) -> float:
        """Expected use of a day; 0 is the current one."""
        return self.week[day % WEEK] * self.factors.get(day, 1.0)

    @property
    def per_day(self) -> float:
        """The mean of the next four weeks."""
        return fmean(map(self.of_day, range(1, BURN_WINDOW + 1)))


def pace_of(usage: UsageHistory) -> Pace | None:
    """The pace of an allowance; None where no use is known."""
    days = list(usage.days[-HISTORY_DAYS:])
    if not usage.earlier_days:
        if not days and usage.used_today <= 0:
            return None
        days = list(dropwhile(lambda use: use <= 0, days))
        if usage.used_today > 0 and not any(days[-_WINDOW:]):
            days = [int(usage.used_today)]  # the first day: the next ones may use as much
    net = _without_refunds(days)
    cut = _without_bulk_run(net)
    today = int(usage.today // DAY_SECONDS) + _EPOCH
    edges = _edges_of_months(cut, today)
    factors = _edge_factors(edges, today) if edges else {}
    recent = cut[-_WINDOW:]
    if len(recent) >= _EARLY:
        recent = recent[len(recent) % WEEK :]
    window = len(recent)
    scaled = [use / factors.get(day, 1.0) for day, use in enumerate(recent, -window)]
    working = _working_days(scaled) if window >= _MIN_DAYS_FOR_OUTLIERS else []
    jump = _jump(working)
    if jump:
        position, factor = jump
        scaled = [use * factor for use in scaled[:position]] + scaled[position:]
        working = _working_days(scaled)
    cleaned = _without_holidays(scaled, working)
    week, error = _week(cleaned, usage)
    monday = -date.fromordinal(today).weekday()  # in the week of the pace
    return Pace(
        week=week,
        factors=factors,
        error=error,
        weekdays=(*week[monday:], *week[:monday]),
        days=len(net),
        window=window,
        capped=tuple(
            CountedDay(day, before, after)
            for day, (before, after) in enumerate(zip(net, cut, strict=True), -len(net))
            if before != after
        ),
        holidays=tuple(
            CountedDay(day, cut[day], cleaned[day] * factors.get(day, 1.0))
            for day in range(-window, 0)
            if cleaned[day] != scaled[day]
        ),
        jump=jump and (jump[0] - window, jump[1]),
        edges=tuple(edges.factors) if edges else (),
        counts_working_days=edges is not None and not all(edges.counts),
    )


def _week(window: Sequence[float], usage: UsageHistory) -> tuple[list[float], float]:
    """The expected use of each weekday, the current day's first, and the error of a week's use."""
    week = _weekday_means(window, usage)
    if not sum(week):
        return week, 0.0
    if len(window) < _EARLY:
        level, error = _early_level(window, week, usage)
    else:
        level, error = _level(window)
    return [use * level / sum(week) for use in week], error


def _without_refunds(days: list[int]) -> list[int]:
    """A refund takes back what the days before it have used."""
    refund = 0
    net = []
    for use in reversed(days):
        net.append(max(0, use - refund))
        refund = max(0, refund - use)
    return net[::-1]


def _without_bulk_run(days: list[int]) -> list[int]:
    """The largest day, cut to the second largest where it is far beyond it."""
    largest = sorted(days)[-_OUTLIER_DAYS:]
    if (
        len(largest) < _OUTLIER_DAYS
        or not largest[0]
        or largest[-1] <= _OUTLIER_FACTOR * largest[-2]
    ):
        return days
    return [min(use, largest[-2]) for use in days]


class _MonthEdges(NamedTuple):
    """Factors of the first and last three days of a month, and which weekdays count as days."""

    factors: list[float]
    counts: Sequence[bool]


def _edges_of_months(days: Sequence[int], today: int) -> _MonthEdges | None:
    """How months begin and end, if that differs; `today` is an ordinal.

    Either all days or only working days count, whichever past months show more clearly.
    """
    if len(days) < _WINDOW + _MIN_DAYS_FOR_OUTLIERS:
        return None
    recent = days[-_WINDOW:]
    working = [
        sum(recent[slot::WEEK]) > _MIN_WORKING_SHARE * sum(recent) / WEEK for slot in range(WEEK)
    ]
    counted = [[True] * WEEK]
    if _EDGE <= sum(working) < WEEK:
        counted.append(working)
    found = (_MonthEdges(_fit_factors(days, today, counts), counts) for counts in counted)
    edges = max(found, key=lambda each: sum(log(factor) ** 2 for factor in each.factors))
    return edges if any(map(log, edges.factors)) else None


def _edge_factors(edges: _MonthEdges, today: int) -> Mapping[int, float]:
    """The factors by days from `today`, an ordinal."""
    return {
        day - today: factor
        for first, after in pairwise(_month_starts(today - _WINDOW, today + MAX_DAYS_AHEAD))
        for day, factor in zip(
            _days_at_edges(first, after, today, edges.counts), edges.factors, strict=True
        )
    }


def _fit_factors(days: Sequence[int], today: int, counts: Sequence[bool]) -> list[float]:
    """The factors of the six days, if these weekdays count."""
    start = today - len(days)
    pairs: list[list[tuple[int, float]]] = [[] for _ in range(2 * _EDGE)]
    for first, after in pairwise(_month_starts(start, today)):
        begin, end = max(first - start + _EDGE, 0), min(after - start - _EDGE_MARGIN, len(days))
        if end - begin < 2 * WEEK:
            continue
        usual = [fmean(days[begin + slot : end : WEEK]) for slot in range(WEEK)]
        least = _MIN_WORKING_SHARE * fmean(usual)
        for months, day in zip(pairs, _days_at_edges(first, after, today, counts), strict=True):
            expected = usual[(day - start - begin) % WEEK]
            if start <= day < today and expected > least:
                months.append((days[day - start], expected))
    return [_fit_factor(months) for months in pairs]


def _fit_factor(months: Sequence[tuple[int, float]]) -> float:
    """Use as a multiple of usual use, as far as the months agree; shrunk towards 1."""
    ratios = [use / usual for use, usual in months]
    if len(ratios) < _EDGE_MONTHS or 1 / _EDGE_FACTOR <= median(ratios) <= _EDGE_FACTOR:
        return 1.0
    is_more = median(ratios) > 1
    clear = sum(ratio > _EDGE_CLEAR if is_more else ratio < 1 / _EDGE_CLEAR for ratio in ratios)
    if clear < _EDGE_SHARE * len(ratios):
        return 1.0
    pooled = sum(use for use, _ in months) / sum(usual for _, usual in months)
    return max(0.1, 1 + (pooled - 1) * len(months) / (len(months) + 1))


def _month_starts(first: int, last: int) -> Iterator[int]:
    """The first of the month that contains `first`, and so on until one is after `last`."""
    day = date.fromordinal(first).replace(day=1)
    while day.toordinal() <= last:
        yield day.toordinal()
        day = next_month(day)
    yield day.toordinal()


def _days_at_edges(first: int, after: int, today: int, counts: Sequence[bool]) -> list[int]:
    """The first and last three days of a month whose weekdays count."""
    begin = [day for day in range(first, first + _EDGE_SEARCH) if counts[(day - today) % WEEK]]
    end = [day for day in range(after - _EDGE_SEARCH, after) if counts[(day - today) % WEEK]]
    return begin[:_EDGE] + end[-_EDGE:]


class _WorkingDay(NamedTuple):
    """A day of the window on whose weekday use is usual."""

    position: int
    use: float
    median: float


def _working_days(window: Sequence[float]) -> list[_WorkingDay]:
    medians = [median(window[slot::WEEK]) for slot in range(WEEK)]
    least = _MIN_WORKING_SHARE * fmean(medians)
    days = map(_WorkingDay, range(len(window)), window, cycle(medians))
    return [day for day in days if day.median > least]


def _jump(working: Sequence[_WorkingDay]) -> tuple[int, float] | None:
    """Where in the window another level of use began, and as a multiple of the one before."""
    for times, length in _JUMPS:
        beyond = [
            day.use > times * day.median if times > 1 else day.use < times * day.median
            for day in working
        ]
        runs = [(is_beyond, len(list(run))) for is_beyond, run in groupby(beyond)]
        *earlier, (is_beyond, days) = runs or [(False, 0)]
        longest = max((run for is_run, run in earlier if is_run), default=0)
        if is_beyond and days >= length > longest and len(working) - days >= WEEK:
            before = max(_share(working[:-days]), _MIN_WORKING_SHARE)
            return working[-days].position, _share(working[-days:]) / before
    return None


def _share(days: Sequence[_WorkingDay]) -> float:
    """Use as a multiple of the medians."""
    return sum(day.use for day in days) / sum(day.median for day in days)


def _without_holidays(window: list[float], working: Sequence[_WorkingDay]) -> list[float]:
    """Rare days with hardly any use, replaced by their weekday's median.

    A week or more without a usual day since is no holiday.
    """
    low = [day for day in working if day.use < _HOLIDAY * day.median]
    is_steady = sum(day.median for day in working) > _STEADY * len(window)
    if not is_steady or len(low) > _HOLIDAYS * len(working):
        return window
    usual = max(day.position for day in working if day.use >= _USUAL * day.median)
    is_recent = usual >= len(window) - WEEK
    filled = list(window)
    for day in low:
        if is_recent or day.position < usual:
            filled[day.position] = day.median
    return filled


def _weekday_means(window: Sequence[float], usage: UsageHistory) -> list[float]:
    """The current day's weekday first; in the first four weeks shrunk towards the overall mean."""
    earlier = min(usage.earlier_days, WEEK)
    days = len(window) + earlier
    mean = (sum(window) + usage.earlier_per_day * earlier) / days if days else 0.0
    shrinkage = _SHRINKAGE if len(window) < _EARLY else 0.0
    weekdays = [window[(len(window) + slot) % WEEK :: WEEK] for slot in range(WEEK)]
    return [(sum(same) + shrinkage * mean) / (len(same) + shrinkage) for same in weekdays]


def _level(window: Sequence[float]) -> tuple[float, float]:
    """A week's expected use, and the mean error of such forecasts of the past weeks.

    A mean of several means, short and long in memory. Those that would have forecast the past
    weeks best count most.
    """
    size = len(window)
    weeks = [sum(window[end - WEEK : end]) for end in range(size, WEEK - 1, -WEEK)]
    least = 0.1 * fmean(weeks)
    forecasts = range(len(weeks) - 2)
    missed = [
        sum(abs(_recent_mean(weeks[week + 1 :], memory) - weeks[week]) for week in forecasts)
        for memory in _MEMORIES
    ]
    weights = [(least / (each + least)) ** 4 for each in missed]
    level = fmean((_recent_mean(weeks, memory) for memory in _MEMORIES), weights)
    return level, fmean(missed, weights) / len(forecasts)


def _recent_mean(values: Sequence[float], memory: float) -> float:
    """The mean of values, latest first, each with `memory` times the weight of the one before."""
    return fmean(values, [memory**age for age in range(len(values))])


def _early_level(
    window: Sequence[float], week: Sequence[float], usage: UsageHistory
) -> tuple[float, float]:
    """The same in the first four weeks: from single days, and from what was used before them."""
    earlier = DAY_MEMORY ** len(window) * (1 - DAY_MEMORY**usage.earlier_days) / (1 - DAY_MEMORY)
    used = sum(DAY_MEMORY**age * use for age, use in enumerate(reversed(window)))
    used += earlier * usage.earlier_per_day
    expected = sum(DAY_MEMORY**age * week[(-1 - age) % WEEK] for age in range(len(window)))
    expected += earlier * fmean(week)
    level = sum(week) * used / expected
    always, by_days = _EARLY_ERROR
    days = len(window) + min(usage.earlier_days, WEEK)
    return level, level * (always + by_days / max(1.0, days) ** 0.5)
