"""A report as JSON; amounts and shares are strings, so that no reader rounds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.reports.rows import is_over, is_whole
from exporter.reports.text import exact, iso, price_per_used, share
from exporter.reports.totals import totals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from exporter.past_usage import Account, Money, Period
    from exporter.reports.options import DayRange, ReportOptions
    from exporter.reports.rows import AccountReport, Row, TargetReport


def format_json(
    options: ReportOptions, targets: Sequence[TargetReport], failures: Sequence[str], now: datetime
) -> str:
    """The report; unknown values are null, ends are exclusive.

    Args:
        options: what was to be reported.
        targets: what was read.
        failures: why the others were not.
        now: the time, for periods that are not over.
    """
    used, costs, purchased = totals(targets, options.days)
    document = {
        "from": options.days.first.isoformat(),
        "to": options.days.after.isoformat(),
        "by": options.by,
        "targets": [_target(target, options.days, now) for target in targets],
        "totals": {"used": used, "costs": _amounts(costs), "purchased": _amounts(purchased)},
        "failures": list(failures),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _target(target: TargetReport, days: DayRange, now: datetime) -> dict[str, object]:
    return {
        "target": target.target,
        "vendor": target.vendor,
        "accounts": [_account_report(account) for account in target.accounts],
        "periods": [_period(period, days, now) for period in target.periods],
    }


def _account_report(account: AccountReport) -> dict[str, object]:
    return {
        **_identity(account.usage.account),
        "unit": account.usage.unit,
        "unit_price": _money(account.usage.unit_price),
        "current_day": account.usage.current_day.isoformat(),
        "rows": [_row(row, account) for row in account.rows],
        "total": _row(account.total, account),
    }


def _identity(each: Account | Row | Period) -> dict[str, str]:
    return {"type": each.kind, "id": each.identifier, "name": each.name}


def _row(row: Row, account: AccountReport) -> dict[str, object]:
    return {
        **_identity(row),
        "start": row.days.first.isoformat(),
        "end": row.days.after.isoformat(),
        "complete": row.is_complete,
        "unknown_days": row.unknown_days,
        "used": None if row.is_unread else row.used,
        "share": share(row.used, account.total.used) or None,
        "cost": _money(row.cost),
    }


def _period(period: Period, days: DayRange, now: datetime) -> dict[str, object]:
    each = price_per_used(period)
    return {
        "account": _identity(period.account),
        **_identity(period),
        "start": iso(period.start) or None,
        "end": iso(period.end) or None,
        "within_range": is_whole(period, days),
        "complete": is_over(period, now),
        "unit": period.unit,
        "allowed": period.allowed,
        "used": period.used,
        "unused": period.unused,
        "price": _money(period.price),
        "price_per_used": None if each is None else exact(each),
    }


def _money(money: Money | None) -> dict[str, str] | None:
    return money and {"amount": exact(money.amount), "currency": money.currency}


def _amounts(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {currency: exact(amount) for currency, amount in amounts.items()}
