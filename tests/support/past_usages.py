"""Past usage for tests of reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from exporter.past_usage import Account, DailyUsage, Money, Part, Period
from exporter.reports.options import DayRange, ReportOptions
from exporter.reports.rows import target_report

if TYPE_CHECKING:
    from exporter.past_usage import PastUsage
    from exporter.reports.rows import TargetReport

ACCOUNT = Account("organization", "oRg1", "Acme", "api.eu1", "European Union")
GROUP = Account("group", "481", "Head")
CLAIMS = Part("workspace", "wS1", "Claims")
ORDERS = Part("workspace", "wS2", "Orders")
INVOICE = Part("document-type", "dT1", "Invoice")
PRICE = Money(Decimal("0.0125"), "EUR")
DAYS = DayRange(date(2026, 3, 1), date(2026, 3, 4))
LATER = date(2026, 4, 1)
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


def daily(part: Part | None, *counts: int | None, **changes: object) -> DailyUsage:
    """Credits from 1 March on, which the vendor's current day is long after."""
    usual = DailyUsage(
        ACCOUNT, part, "credits", DAYS.first, counts, LATER, PRICE, "allowance.price"
    )
    return usual._replace(**changes)  # type: ignore[arg-type]  # as the cases want it


def moment(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]  # a date and perhaps a time


PLAN = Period(
    account=GROUP,
    kind="plan",
    identifier="71",
    name="Yearly",
    unit="documents",
    start=moment(2026, 3, 2),
    end=moment(2026, 3, 3),
    allowed=800,
    used=600,
    price=Money(Decimal(100), "NZD"),
)
ALLOWANCE = Period(
    account=ACCOUNT,
    kind="allowance",
    identifier="credits",
    name="monthly credits",
    unit="credits",
    start=moment(2026, 3, 1),
    end=moment(2026, 4, 1),
    allowed=1000,
    used=60,
    price=PRICE.times(1000),
    renews=True,
    is_used_by_day=True,
    final_until=moment(2026, 3, 4),
)


def report_of(
    *past: PastUsage, by: str = "workspace", target: str = "acme", vendor: str = "Affinda"
) -> TargetReport:
    return target_report(target, vendor, past, by)


def plan_of(**changes: object) -> ReportOptions:
    usual = ReportOptions((), DAYS, "workspace", "table", None, {})
    return replace(usual, **changes)  # type: ignore[arg-type]  # as the cases want it
