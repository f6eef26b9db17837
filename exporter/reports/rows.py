"""The rows of a report: pure functions of what the vendors' histories say.

The rows of an account add up to its total by construction: each day's figure of the account is
split into the figures of its parts and the rest, and every row is a sum of such cells.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY
from exporter.past_usage import DailyUsage, Period, UnreadScope
from exporter.reports.options import DayRange

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence
    from datetime import date, datetime

    from exporter.past_usage import Account, Money, Part, PastUsage

OTHER: Final = "other"
"""The kind of the row for what no listed part accounts for."""


class Cell(NamedTuple):
    """The usage of a part on one day.

    Args:
        day: the day.
        part: None for what no part accounts for: without parts the whole account.
        used: in the account's unit; 0 where it is not known.
        is_known: whether the vendor reports everything that the figure depends on.
    """

    day: date
    part: Part | None
    used: int
    is_known: bool


class Row(NamedTuple):
    """The usage of some days.

    Args:
        kind: of the part, `other`, or the account's.
        identifier, name: of the part or the account; empty for `other`.
        days: which days.
        used: in the account's unit, without the days that are not known.
        unknown_days: how many days are not known.
        is_current: whether the current day, which is not over, is one of them.
        cost: at the configured price, if there is one.
    """

    kind: str
    identifier: str
    name: str
    days: DayRange
    used: int
    unknown_days: int
    is_current: bool
    cost: Money | None

    @property
    def is_complete(self) -> bool:
        """Whether the figure is known and final."""
        return not self.unknown_days and not self.is_current

    @property
    def is_unread(self) -> bool:
        """Whether nothing is known."""
        return not self.used and self.unknown_days == (self.days.after - self.days.first).days


@dataclass(frozen=True, slots=True)
class AccountReport:
    """The usage of an account whose vendor reports days.

    Args:
        usage: of the whole account.
        parts: how many parts are listed.
        cells: the usage of each day.
        rows: they add up to the total.
        total: of the whole account.
    """

    usage: DailyUsage
    parts: int
    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    total: Row

    @property
    def other(self) -> int:
        """What no listed part accounts for; negative where the parts exceed the total."""
        return sum(row.used for row in self.rows if row.kind == OTHER)


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What is reported of a target.

    Args:
        target: its name.
        vendor: its vendor's name for people.
        accounts: those whose usage the vendor reports by day.
        periods: of allowances, plans and packs, those that overlap the range.
        unread: scopes that could not be read.
    """

    target: str
    vendor: str
    accounts: tuple[AccountReport, ...]
    periods: tuple[Period, ...]
    unread: tuple[UnreadScope, ...]

    @property
    def failures(self) -> Iterator[str]:
        """A line for each scope that could not be read."""
        for scope, (reason, detail, _) in self.unread:
            yield f"{self.target}: {scope}: {reason}: {detail}"


def target_report(target: str, vendor: str, past: Iterable[PastUsage], by: str) -> TargetReport:
    """The report of a target.

    Args:
        target: its name.
        vendor: its vendor's name for people.
        past: what its history says.
        by: what a row is about.
    """
    usages: defaultdict[Account, list[DailyUsage]] = defaultdict(list)
    periods, unread = [], []
    for each in past:
        if isinstance(each, Period):
            periods.append(each)
        elif isinstance(each, UnreadScope):
            unread.append(each)
        elif each.counts:
            usages[each.account].append(each)
    accounts = (_account_report(whole, parts, by) for whole, *parts in usages.values())
    return TargetReport(target, vendor, tuple(accounts), tuple(periods), tuple(unread))


def _account_report(whole: DailyUsage, parts: Sequence[DailyUsage], by: str) -> AccountReport:
    listed = [usage for usage in parts if usage.part and usage.part.kind == by]
    cells = tuple(_cells(whole, listed))
    account = whole.account
    own = account.kind, account.identifier, account.name
    rest = (OTHER, "", "") if listed else own

    def row(names: tuple[str, str, str], of_row: Sequence[Cell]) -> Row:
        first, last = of_row[0].day, of_row[-1].day
        used = sum(cell.used for cell in of_row)
        return Row(
            *names,
            DayRange(first, last + DAY),
            used,
            len({cell.day for cell in of_row if not cell.is_known}),
            first <= whole.current_day <= last,
            whole.unit_price and whole.unit_price.times(used),
        )

    rows = [
        row(of_row[0].part or rest, of_row)
        for of_row in _grouped(cells, by)
        if of_row[0].part or not listed or sum(cell.used for cell in of_row)
    ]
    if listed:
        rows.sort(key=lambda each: (each.kind == OTHER, -each.used, each.name, each.identifier))
    total = row(own, cells)._replace(unknown_days=whole.counts.count(None))
    return AccountReport(whole, len(listed), cells, tuple(rows), total)


def _cells(whole: DailyUsage, parts: Sequence[DailyUsage]) -> Iterator[Cell]:
    """Each day's usage of each part, and the rest.

    Where the account's own figure is not known, the sum of its parts stands for it.
    """
    for index, (day, count) in enumerate(whole.days()):
        figures = [usage.counts[index] for usage in parts]
        of_parts = sum(figure or 0 for figure in figures)
        for usage, figure in zip(parts, figures, strict=True):
            yield Cell(day, usage.part, figure or 0, figure is not None)
        rest = 0 if count is None else count - of_parts
        yield Cell(day, None, rest, count is not None and None not in figures)


def _grouped(cells: Iterable[Cell], by: str) -> Iterable[list[Cell]]:
    """The cells of each row, in order of time."""
    groups: defaultdict[Hashable, list[Cell]] = defaultdict(list)
    for cell in cells:
        moment = {"day": cell.day, "month": (cell.day.year, cell.day.month)}.get(by)
        groups[moment or cell.part].append(cell)
    return groups.values()


def is_whole(period: Period, days: DayRange) -> bool:
    """Whether a period lies within the days; one that does not is shown whole all the same."""
    return bool(
        period.start and period.end and period.start.date() >= days.first and period.end <= days.end
    )


def begins_in(period: Period, days: DayRange) -> bool:
    """Whether a period begins on one of the days: that of the purchase."""
    return period.start is not None and days.first <= period.start.date() < days.after


def is_over(period: Period, now: datetime) -> bool:
    """Whether what a period used is final."""
    return period.end is not None and period.end <= (period.final_until or now)
