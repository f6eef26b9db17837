"""How near estimates of an exhaustion are on synthetic usage; `make accuracy` writes the tables.

Errors are distances from the true moment in days. An estimate that names no moment, or one more
than a year away, counts as a year.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from math import inf
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Final, NamedTuple

import previous_forecast
import usage_series

from exporter.days import DAY_SECONDS
from exporter.forecast import history_of_total, with_forecast
from exporter.model import Allowance, UsageHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from usage_series import Case

LEADS: Final = (30, 14, 7, 3)
"""Days before the allowance is used up."""

DAYS_SEEN: Final = (0, 1, 3, 7, 10, 14, 21, 27)
"""Complete days that the exporter has observed of an allowance that reports only its total."""

_YEAR: Final = 365.0
_HOUR_OF_EXHAUSTION: Final = 13
_DOCUMENT: Final = Path(__file__).parent.parent.parent / "docs" / "forecast.md"
_BLOCK: Final = re.compile(r"(<!-- (accuracy|totals) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


class Errors(NamedTuple):
    """Distances from the true moment, in days."""

    median: float
    high: float
    """The 90th percentile."""

    def __str__(self) -> str:
        return f"{self.median:.1f} / {self.high:.1f}"


class Exhaustion(NamedTuple):
    """An estimated moment and its range; moments as in a situation, None where unknown."""

    expected: float | None
    earliest: float | None
    latest: float | None


class Situation(NamedTuple):
    """A case with so much available that it is used up after some days, and that moment.

    Moments are days after the midnight that began the current day.
    """

    case: Case
    available: int
    moment: float


def cases(kind: str, count: int) -> list[Case]:
    """The first `count` of a kind."""
    return [usage_series.make(kind, number) for number in range(count)]


def situations(cases: Iterable[Case], lead: int) -> Iterator[Situation]:
    """Those of the cases whose coming days use anything."""
    for case in cases:
        available = case.use_until(lead, _HOUR_OF_EXHAUSTION)
        if available > 0:
            yield Situation(case, available, case.moment_of(available))


@cache
def estimate(situation: Situation) -> Exhaustion:
    """What the exporter makes of a vendor's daily figures."""
    case = situation.case
    at = _midnight(case) + case.hour * DAY_SECONDS / 24
    usage = UsageHistory(at, _midnight(case), case.used_today, case.past)
    return _exhaustion(_allowance(situation.available), usage)


def _midnight(case: Case) -> float:
    return (case.today.toordinal() - date(1970, 1, 1).toordinal()) * DAY_SECONDS


def _allowance(available: int, used: int = 0, start: float | None = None) -> Allowance:
    return Allowance(
        "", "", allowed=used + available, used=used, available=available, unit="", start=start
    )


def _exhaustion(allowance: Allowance, usage: UsageHistory) -> Exhaustion:
    def days(moment: float | None) -> float | None:
        return None if moment is None else (moment - usage.today) / DAY_SECONDS

    found = with_forecast(allowance, usage)
    return Exhaustion(
        days(found.exhaustion), days(found.exhaustion_earliest), days(found.exhaustion_latest)
    )


def of_present(situation: Situation) -> float | None:
    """The estimate's moment."""
    return estimate(situation).expected


def of_previous(situation: Situation) -> float | None:
    """That of the estimate it replaced."""
    case = situation.case
    return previous_forecast.exhaustion_in_days(case.past, case.used_today, situation.available)


def of_mean(situation: Situation) -> float | None:
    """At the mean of the last seven complete days."""
    mean = fmean(situation.case.past[-7:])
    return situation.case.hour / 24 + situation.available / mean if mean > 0 else None


def of_line(situation: Situation) -> float | None:
    """As `predict_linear(available[7d], …)`: least squares on hourly samples."""
    case = situation.case
    hours = range(-7 * 24, 1)
    values = [situation.available + _used_since(case, case.hour + hour) for hour in hours]
    mean_hour, mean_value = fmean(hours), fmean(values)
    slope = sum(
        (hour - mean_hour) * (value - mean_value) for hour, value in zip(hours, values, strict=True)
    ) / sum((hour - mean_hour) ** 2 for hour in hours)
    if slope >= 0:
        return None
    return (case.hour + mean_hour - mean_value / slope) / 24


def _used_since(case: Case, hour: float) -> int:
    """Use from an hour before the case's moment until then, by hours after today's midnight."""
    day, hour = divmod(hour, 24)
    days = case.past[len(case.past) + int(day) :] if day else ()
    done = int((case.coming[0] if not day else days[0]) * usage_series.done(hour))
    return sum(days) + case.used_today - done


METHODS: Final[dict[str, Callable[[Situation], float | None]]] = {
    "estimate": of_present,
    "four weeks' weekdays": of_previous,
    "`predict_linear`, 7 days": of_line,
    "mean of 7 days": of_mean,
}


def errors(situations: Iterable[Situation], method: str) -> Errors:
    """Of a method."""
    return summary(_error(METHODS[method](each), each.moment) for each in situations)


def _error(found: float | None, moment: float) -> float:
    return min(_YEAR, abs((inf if found is None else found) - moment))


def summary(distances: Iterable[float]) -> Errors:
    """Median and 90th percentile."""
    ordered = sorted(distances)
    return Errors(ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10])


def coverage(situations: Iterable[Situation]) -> float:
    """The share of true moments that lie in the range."""
    return fmean(_is_inside(estimate(each), each.moment) for each in situations)


def _is_inside(found: Exhaustion, moment: float) -> bool:
    if found.earliest is None or found.latest is None:
        return False
    return found.earliest <= moment <= found.latest


def total_errors(cases: Sequence[Case], seen: int) -> tuple[Errors, Errors, float]:
    """Of an allowance that reports only its total: the estimate, the mean pace, the coverage.

    The plan began up to 40 days before the exporter observed it for the first time.
    """
    ours, mean_pace, inside = [], [], []
    rng = Random(seen)  # noqa: S311  a simulation, no secret
    for lead in LEADS:
        for situation in situations(cases, lead):
            found, plain = _of_total(situation, seen, rng)
            ours.append(_error(found.expected, situation.moment))
            mean_pace.append(_error(plain, situation.moment))
            inside.append(_is_inside(found, situation.moment))
    return summary(ours), summary(mean_pace), fmean(inside)


def _of_total(situation: Situation, seen: int, rng: Random) -> tuple[Exhaustion, float | None]:
    case, available = situation.case, situation.available
    now = case.hour / 24
    age = rng.randint(1, 40)  # complete days of the plan before the first one observed
    used = sum(case.past[len(case.past) - seen - age :]) + case.used_today
    complete = case.past[len(case.past) - seen :] if seen else ()
    partly = (
        int(case.past[-seen - 1] * rng.random()) if seen else int(case.used_today * rng.random())
    )
    days = (partly, *complete, case.used_today) if seen else (partly,)
    midnight = _midnight(case)
    allowance = _allowance(available, used, midnight - (seen + age) * DAY_SECONDS)
    usage = history_of_total(allowance, midnight + now * DAY_SECONDS, days)
    burn = used / (seen + age + now)
    return (
        _exhaustion(allowance, usage),
        now + available / burn if burn else None,
    )


def accuracy_table(count: int) -> str:
    """Every kind and lead: median and 90th percentile of each method, and the range's coverage."""
    header = ["kind", "days before", *METHODS, "in range"]
    rows = [header, ["---"] * len(header)]
    for kind in usage_series.KINDS:
        made = cases(kind, count)
        for lead in LEADS:
            ahead = list(situations(made, lead))
            found = [str(errors(ahead, method)) for method in METHODS]
            rows.append([kind, str(lead), *found, f"{coverage(ahead):.0%}"])
    return _table(rows)


def totals_table(count: int) -> str:
    """By complete days observed."""
    header = ["days observed", "estimate", "mean pace of the plan", "in range"]
    rows = [header, ["---"] * len(header)]
    made = cases("weekdays", count)
    for seen in DAYS_SEEN:
        ours, mean_pace, inside = total_errors(made, seen)
        rows.append([str(seen), str(ours), str(mean_pace), f"{inside:.0%}"])
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_tables(text: str, count: int) -> str:
    """A document whose tables are up to date."""
    tables = {"accuracy": accuracy_table, "totals": totals_table}
    return _BLOCK.sub(lambda block: block[1] + tables[block[2]](count) + block[3], text)


if __name__ == "__main__":  # pragma: no cover  a test runs what it runs
    written = with_tables(_DOCUMENT.read_text(encoding="utf-8"), 300)
    _DOCUMENT.write_text(written, encoding="utf-8")
