"""A report as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unicodedata import combining, east_asian_width

from exporter.reports.options import SCOPE_KINDS
from exporter.reports.rows import OTHER, is_whole
from exporter.reports.text import for_people, moment, money, name_of, price_per_used, quotient
from exporter.reports.totals import totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from exporter.past_usage import Account, Period
    from exporter.reports.options import DayRange, ReportOptions
    from exporter.reports.rows import AccountReport, Row, TargetReport

_GAP: Final = "  "
_Line = tuple[str, tuple[str, ...]]  # a label, and the cells to its right, if there are any


def format_table(
    options: ReportOptions, targets: Sequence[TargetReport], width: int | None = None
) -> str:
    """A section for each target, then the totals.

    Args:
        options: what was to be reported.
        targets: what was read.
        width: columns of the terminal; None where lines may have any length.
    """
    sections = [
        [f"Usage from {options.days.first} to {options.days.after} (ends are exclusive, UTC)"],
        *(list(_target(target, options, width)) for target in targets),
        list(_totals(targets, options.days, width)),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _target(target: TargetReport, options: ReportOptions, width: int | None) -> Iterator[str]:
    accounts = dict.fromkeys(
        (
            *(account.usage.account for account in target.accounts),
            *(period.account for period in target.periods),
        )
    )
    is_only = len(accounts) == 1
    yield f"{target.target}: {_account(*accounts)}" if is_only else target.target
    if not accounts:
        yield "Nothing was used or purchased in this range."
    for account in target.accounts:
        if not is_only:
            yield _account(account.usage.account)
        yield from _layout(_headings(account, options.by), _usage_lines(account, options.by), width)
        yield from summary(account, options.by)
        yield from problems(account)
    yield from (f"{scope} could not be read." for scope, _ in target.unread)
    if target.accounts and target.periods:
        yield ""
    if target.periods:
        headings = ("PERIOD", "ALLOWED", "USED", "UNUSED", "PRICE", "PER UNIT")
        yield from _layout(headings, _period_lines(target, options.days, has_one=is_only), width)
    yield from period_notes(target, options.days)


def _account(account: Account) -> str:
    return name_of(account.name, account.identifier)


def _headings(account: AccountReport, by: str) -> tuple[str, ...]:
    first = by if by not in SCOPE_KINDS or account.parts else account.total.kind
    cost = ("COST",) if account.usage.unit_price else ()
    return first.replace("-", " ").upper(), account.usage.unit.upper(), "SHARE", *cost


def _usage_lines(account: AccountReport, by: str) -> Iterator[_Line]:
    for row in account.rows:
        yield _label(row, by), _cells(row, account)
    if len(account.rows) > 1:
        yield "Total", _cells(account.total, account)


def _label(row: Row, by: str) -> str:
    if row.kind == OTHER:
        return OTHER
    label = name_of(row.name, row.identifier)
    if by == "day":
        label = f"{row.days.first:%Y-%m-%d %a}"
    elif by == "month":
        label = f"{row.days.first:%Y-%m}"
    return label if row.is_complete or by in SCOPE_KINDS else f"{label} (incomplete)"


def _cells(row: Row, account: AccountReport) -> tuple[str, ...]:
    used, total = row.used, account.total.used
    if row.is_unread:
        return tuple("-" for _ in _headings(account, "")[1:])
    share = f"{quotient(100 * used, total, 1)} %" if total else "-"
    cost = (money(row.cost),) if account.usage.unit_price else ()
    return f"{used:,}", share, *cost


def summary(account: AccountReport, by: str) -> Iterator[str]:
    """Whether the parts add up to the account's total."""
    total, unit = account.total, account.usage.unit
    parts = f"{by.replace('-', ' ')}{'s' if account.parts != 1 else ''}"
    listed = f"{account.parts:,} {parts} account{'s' if account.parts == 1 else ''} for"
    if by in SCOPE_KINDS and not account.parts:
        yield f"The target lists no {parts}: the row is the whole {total.kind}."
    elif by in SCOPE_KINDS and account.other > 0:
        yield (
            f"{listed} {total.used - account.other:,} of the {total.kind}'s {total.used:,} {unit}; "
            f"{account.other:,} are in other."
        )
    elif by in SCOPE_KINDS and not account.other:
        yield f"{listed} all of the {total.kind}'s {total.used:,} {unit}."


def problems(account: AccountReport) -> Iterator[str]:
    """What the vendor's figures do not say, or contradict."""
    usage, total = account.usage, account.total
    if account.other < 0:
        yield (
            f"The listed parts exceed the {total.kind}'s total by {-account.other:,} {usage.unit}: "
            "the vendor's figures disagree, and other is negative."
        )
    if total.is_current:
        yield f"The current day, {usage.current_day}, is not over: its figures are incomplete."
    if total.unknown_days:
        days = _days(total.unknown_days)
        yield f"The {total.kind}'s figures of {days} cannot be read: the total may lack usage."
    of_parts = (row.unknown_days for row in account.rows if account.parts and row.kind != OTHER)
    if unknown := max(of_parts, default=0):
        yield f"A part's figures of {_days(unknown)} cannot be read: its usage then is in other."


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def _period_lines(target: TargetReport, days: DayRange, *, has_one: bool) -> Iterator[_Line]:
    has_units = len({period.unit for period in target.periods}) > 1
    account = None
    for period in target.periods:
        if not has_one and period.account != account:
            yield _account(period.account), ()
        account = period.account
        unit = f", {period.unit}" if has_units else ""
        mark = "" if is_whole(period, days) else " *"
        dates = f"{moment(period.start)} to {moment(period.end)}"
        each = price_per_used(period)
        yield (
            f"{_period(period)}{unit}, {dates}{mark}",
            (
                *(_count(count) for count in (period.allowed, period.used, period.unused)),
                money(period.price),
                "-" if each is None else f"{each:,.4f}",
            ),
        )


def _period(period: Period) -> str:
    if period.kind == "allowance":
        return period.name or period.identifier
    kind = "" if period.kind == "plan" else f"{period.kind} "
    return kind + name_of(period.name, period.identifier)


def _count(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def period_notes(target: TargetReport, days: DayRange) -> Iterator[str]:
    """How the periods are shown that are only in part in the report's days."""
    partial = [period for period in target.periods if not is_whole(period, days)]
    if any(not period.is_used_by_day for period in partial):
        yield "* Partly in the range: shown whole."
    if any(period.is_used_by_day for period in partial):
        yield f"* Partly in the range: shown whole, with what was used before {days.after}."


def _totals(targets: Sequence[TargetReport], days: DayRange, width: int | None) -> Iterator[str]:
    found = totals(targets, days)
    lines: list[_Line] = [(f"{unit} used", (f"{used:,}", "")) for unit, used in found.used.items()]
    lines += _amounts("cost of the usage", found.costs)
    lines += _amounts("purchased (periods that begin in the range)", found.purchased)
    if lines:
        yield from _layout(("TOTAL", "", ""), lines, width)


def _amounts(label: str, amounts: Mapping[str, Decimal]) -> Iterator[_Line]:
    for currency, amount in amounts.items():
        yield label, (for_people(amount), currency)
        label = ""


def _layout(headings: Sequence[str], lines: Iterable[_Line], width: int | None) -> Iterator[str]:
    """Aligned lines; a label that is too long for its column has a line of its own."""
    first, *others = headings
    found: list[_Line] = [(first, tuple(others)), *lines]
    rows = [cells for _, cells in found if cells]
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
    figures = sum(widths) + len(_GAP) * len(widths)
    room = None if width is None else width - figures
    lengths = [_columns(label) for label, cells in found if cells]
    column = max(length for length in lengths if room is None or length <= max(room, lengths[0]))
    for label, cells in found:
        text = _GAP.join(
            " " * (size - _columns(cell)) + cell for cell, size in zip(cells, widths, strict=False)
        )
        if cells and _columns(label) > column:
            yield label
            label = ""  # noqa: PLW2901  the rest of the same line
        padding = " " * (column - _columns(label))
        yield f"{label}{padding}{_GAP}{text}".rstrip() if cells else label


def _columns(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )
