"""A report as CSV: a line for each row, and one for each period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporter.csv_text import csv_text
from exporter.reports.rows import is_over
from exporter.reports.text import exact, iso, price_per_used, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from decimal import Decimal

    from exporter.past_usage import Period
    from exporter.reports.rows import AccountReport, Row, TargetReport

COLUMNS: Final = (
    *("target", "vendor", "account_type", "account_id", "account_name", "type", "id", "name"),
    *("start", "end", "complete", "unit", "used", "share", "unit_price", "cost", "currency"),
    *("allowed", "allowance_used", "unused", "price", "price_per_used"),
)


def format_csv(targets: Iterable[TargetReport], now: datetime) -> str:
    """The rows and the periods of all targets under one header.

    `used` of the lines of an account adds up to its total: a period that usage by day draws down
    has what it used only in `allowance_used`.

    Args:
        targets: what was read.
        now: the time, for periods that are not over.
    """
    return csv_text([COLUMNS, *(line for target in targets for line in _lines(target, now))])


def _lines(target: TargetReport, now: datetime) -> Iterator[list[str]]:
    for account in target.accounts:
        owner = [target.target, target.vendor, *account.usage.account[:3]]
        yield from (owner + _usage(row, account) for row in account.rows)
    for period in target.periods:
        owner = [target.target, target.vendor, *period.account[:3]]
        yield owner + _period(period, now)


def _usage(row: Row, account: AccountReport) -> list[str]:
    total, price, cost = account.total.used, account.usage.unit_price, row.cost
    return [
        *(row.kind, row.identifier, row.name),
        *(row.days.first.isoformat(), row.days.after.isoformat()),
        "true" if row.is_complete else "false",
        account.usage.unit,
        "" if row.is_unread else str(row.used),
        share(row.used, total),
        exact(price.amount) if price else "",
        exact(cost.amount) if cost else "",
        price.currency if price else "",
        *[""] * 5,
    ]


def _period(period: Period, now: datetime) -> list[str]:
    used, price = _count(period.used), period.price
    return [
        *(period.kind, period.identifier, period.name),
        *(iso(period.start), iso(period.end)),
        "true" if is_over(period, now) else "false",
        period.unit,
        "" if period.is_used_by_day else used,
        *[""] * 3,
        price.currency if price else "",
        *(_count(period.allowed), used, _count(period.unused)),
        exact(price.amount) if price else "",
        _amount(price_per_used(period)),
    ]


def _amount(amount: Decimal | None) -> str:
    return "" if amount is None else exact(amount)


def _count(count: int | None) -> str:
    return "" if count is None else str(count)
