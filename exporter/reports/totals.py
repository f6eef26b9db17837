"""Totals of a report: by unit and by currency, which are never added to one another."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from exporter.past_usage import exact_sum
from exporter.reports.rows import begins_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from exporter.past_usage import Money
    from exporter.reports.options import DayRange
    from exporter.reports.rows import TargetReport


class Totals(NamedTuple):
    """What the targets of a report come to.

    Args:
        used: by unit, of accounts whose vendor reports days.
        costs: by currency, of that usage at the configured prices.
        purchased: by currency, the prices of the periods that begin in the report's days.
    """

    used: dict[str, int]
    costs: dict[str, Decimal]
    purchased: dict[str, Decimal]


def totals(targets: Iterable[TargetReport], days: DayRange) -> Totals:
    """The totals of these targets."""
    used: defaultdict[str, int] = defaultdict(int)
    costs, prices = [], []
    for target in targets:
        for account in target.accounts:
            used[account.usage.unit] += account.total.used
            costs.append(account.total.cost)
        prices += [period.price for period in target.periods if begins_in(period, days)]
    return Totals(dict(used), _by_currency(costs), _by_currency(prices))


def _by_currency(amounts: Iterable[Money | None]) -> dict[str, Decimal]:
    found: defaultdict[str, list[Decimal]] = defaultdict(list)
    for each in amounts:
        if each:
            found[each.currency].append(each.amount)
    return {currency: exact_sum(found[currency]) for currency in sorted(found)}
