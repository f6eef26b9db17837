from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import product
from statistics import fmean, median
from typing import TYPE_CHECKING

from exporter.demo.accounts import business_hours, weekday_usage
from exporter.forecast import DAY, HISTORY, run_out_by_weekdays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE_DAY = timedelta(days=1)
DAYS_BEFORE = (30, 14, 7, 3)
QUARTERS = [date(year, month, 1) for year in (2024, 2025) for month in (1, 4, 7, 10)]
ACCOUNTS = [
    weekday_usage(f"{growth}/{number}", 400, growth)
    for growth, number in product((-0.1, 0.0, 0.15, 0.4), range(3))
]
"""Each with its own noise, spikes, idle Sundays and holidays."""


class Account:
    """A quarterly allowance that is used up at `run_out`, and is renewed with each quarter."""

    def __init__(self, usage: Callable[[date], int], quarter: date, run_out: datetime) -> None:
        self._of_day = cache(usage)
        self._quarter = quarter
        self._allowed = self.used(run_out)

    def used(self, moment: datetime) -> float:
        """In the quarter so far; before it began, the quarter before was at its end."""
        days = (moment.date() - self._quarter).days
        complete = sum(self._of_day(self._quarter + day * ONE_DAY) for day in range(days))
        return complete + self.used_today(moment)

    def used_today(self, moment: datetime) -> float:
        return self._of_day(moment.date()) * business_hours(moment)

    def available(self, moment: datetime) -> float:
        if moment.date() < self._quarter:
            return 0.0
        return max(0.0, self._allowed - self.used(moment))

    def estimate(self, moment: datetime) -> float:
        """As the exporter tells it from what the vendor reports at `moment`."""
        today = moment.date()
        history = [self._of_day(today - day * ONE_DAY) for day in range(HISTORY, 0, -1)]
        midnight = datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()
        used_today, left = int(self.used_today(moment)), int(self.available(moment))
        estimate = run_out_by_weekdays(history, midnight, used_today, left)
        assert estimate is not None
        return estimate

    def linear_estimate(self, moment: datetime) -> float:
        """Where `predict_linear(available[7d], …)` reaches 0: least squares on hourly samples."""
        hours = [timedelta(hours=-hour) for hour in range(7 * 24)]
        times = [hour.total_seconds() for hour in hours]
        values = [self.available(moment + hour) for hour in hours]
        mean_time, mean_value = fmean(times), fmean(values)
        covariance = sum(
            (time - mean_time) * (value - mean_value)
            for time, value in zip(times, values, strict=True)
        )
        slope = covariance / sum((time - mean_time) ** 2 for time in times)
        if slope >= 0:
            return float("inf")
        return moment.timestamp() + mean_time - mean_value / slope


def accounts() -> Iterator[tuple[Account, datetime]]:
    """Allowances with the moment at which each is used up, all over the quarter and the week."""
    for (number, usage), quarter in product(enumerate(ACCOUNTS), QUARTERS):
        day = quarter + (33 + number * 17 % 55) * ONE_DAY
        run_out = datetime(day.year, day.month, day.day, 13, tzinfo=UTC)
        yield Account(usage, quarter, run_out), run_out


def errors(days_before: int) -> tuple[float, float]:
    """Median distance from the true moment, in days: the exporter's, and predict_linear's."""
    ours, linear = [], []
    for account, run_out in accounts():
        moment = run_out - days_before * ONE_DAY
        ours.append(abs(account.estimate(moment) - run_out.timestamp()) / DAY)
        linear.append(abs(account.linear_estimate(moment) - run_out.timestamp()) / DAY)
    return round(median(ours), 2), round(median(linear), 2)


MEDIANS = {30: (1.25, 6.04), 14: (0.47, 2.48), 7: (0.27, 1.48), 3: (0.19, 1.2)}
"""What README.md says, by days before: the exporter's median error and predict_linear's."""


def test_the_estimate_is_as_near_as_the_readme_says() -> None:
    assert {days: errors(days) for days in DAYS_BEFORE} == MEDIANS


def test_the_estimate_is_at_least_four_times_nearer_than_a_straight_line() -> None:
    for days, (ours, linear) in MEDIANS.items():
        assert ours <= linear / 4, days


def test_a_straight_line_through_a_renewal_tells_nothing() -> None:
    quarter = date(2025, 4, 1)
    account = Account(ACCOUNTS[0], quarter, datetime(2025, 5, 20, 13, tzinfo=UTC))
    after = datetime(2025, 4, 3, 12, tzinfo=UTC)
    assert account.linear_estimate(after) == float("inf")
    assert account.estimate(after) < datetime(2025, 6, 1, tzinfo=UTC).timestamp()
