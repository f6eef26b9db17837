"""A report in the FinOps Open Cost and Usage Specification (FOCUS) 1.2.

Usage is a charge for each day and part, or for a whole period where the vendor reports no days. A
purchase is a charge of the month in which its period begins, and so is the usage of such a period:
the files of several months have each charge once. `BilledCost` adds up to what was purchased,
`EffectiveCost` to what was used.
Source: https://focus.finops.org/focus-specification/v1-2/
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exporter.csv_text import csv_text
from exporter.days import DAY, midnight, next_month
from exporter.reports.rows import OTHER, begins_in
from exporter.reports.text import decimal_text, moment, name_of, quotient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from exporter.past_usage import Account, Money, Period
    from exporter.reports.options import DayRange
    from exporter.reports.rows import AccountReport, Cell, TargetReport

COLUMNS: Final = (
    "BilledCost",
    *("BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency"),
    *("BillingPeriodEnd", "BillingPeriodStart"),
    *("ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit"),
    *("ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName"),
    *("ListCost", "ListUnitPrice", "PricingCategory", "PricingCurrency"),
    *("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    *("PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit"),
    *("ProviderName", "PublisherName", "RegionId", "RegionName"),
    *("ResourceId", "ResourceName", "ResourceType"),
    *("ServiceCategory", "ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceId"),
    *("SubAccountId", "SubAccountName", "SubAccountType", "Tags", "x_DocumentType", "x_Target"),
)
"""All columns in alphabetical order; those that start with `x_` are ours."""
_PLACES: Final = 12  # of a quotient; everything else is exact
_ZERO: Final = "0.00"
_ONE: Final = "1.00"


class FocusError(Exception):
    """A target's charges have no cost; the message says why."""


def format_focus(rows: Iterable[Mapping[str, str]]) -> str:
    """The charges as CSV; an empty cell is null."""
    return csv_text([COLUMNS, *([row.get(column, "") for column in COLUMNS] for row in rows)])


def focus_rows(target: TargetReport, days: DayRange, invoice_id: str) -> list[dict[str, str]]:
    """The charges of a target.

    Args:
        target: what was read.
        days: the report's.
        invoice_id: of the invoice that they are on, or empty.

    Raises:
        FocusError: there is no price.
    """
    rows: list[dict[str, str]] = []
    for account in target.accounts:
        usage = account.usage
        if usage.unit_price is None:
            hint = f": set {usage.price_keys}" if usage.price_keys else ""
            raise FocusError(f"{target.target}: no price of {usage.unit}{hint}")
        rows += _usage_rows(target, account, usage.unit_price)
    for period in target.periods:
        if begins_in(period, days) and period.has_own_price:
            if period.price is None:
                raise FocusError(f"{target.target}: {_title(period)} has no price")
            rows += _period_rows(target, period, period.price)
    common = {
        "InvoiceId": invoice_id,
        **dict.fromkeys(
            ("InvoiceIssuerName", "ProviderName", "PublisherName", "ServiceName"), target.vendor
        ),
        "PricingCategory": "Standard",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Natural Language Processing",
        "Tags": json.dumps({"target": target.target}, ensure_ascii=False),
        "x_Target": target.target,
    }
    return [row | common for row in rows]


def focus_notes(target: TargetReport, days: DayRange) -> Iterator[str]:
    """Which periods overlap the days but are not in the file."""
    for period in target.periods:
        if not begins_in(period, days):
            when = f"began on {moment(period.start)}" if period.start else "has no start date"
            yield f"{_title(period)} {when}: its price is not in the file"


def _title(period: Period) -> str:
    """Such as `plan Yearly (71)`; an allowance's identifier is not the vendor's."""
    if period.kind == "allowance" and period.name:
        return f"allowance {period.name}"
    return f"{period.kind} {name_of(period.name, period.identifier)}"


def _usage_rows(
    target: TargetReport, account: AccountReport, price: Money
) -> Iterator[dict[str, str]]:
    """A charge for each day and part that used something."""
    prepaid = [
        period
        for period in target.periods
        if period.is_used_by_day and period.account == account.usage.account
    ]
    unit, sku = _capitalized(account.usage.unit), f"{target.vendor.lower()}-{account.usage.unit}"
    for cell in account.cells:
        if not cell.used:
            continue
        quantity = decimal_text(Decimal(cell.used))
        cost = decimal_text(price.times(cell.used).amount)
        begin = midnight(cell.day)
        is_prepaid = any(_covers(period, begin) for period in prepaid)
        yield {
            **_account_columns(account.usage.account, price.currency),
            **_time_columns(begin, begin + DAY),
            **_part_columns(cell),
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{unit} of {_owner(cell, account)}",
            "ChargeFrequency": "Usage-Based",
            "BilledCost": _ZERO if is_prepaid else cost,
            **dict.fromkeys(("ContractedCost", "EffectiveCost", "ListCost"), cost),
            **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), decimal_text(price.amount)),
            "PricingCurrency": account.usage.unit.upper(),
            "PricingCurrencyContractedUnitPrice": _ONE,
            "PricingCurrencyEffectiveCost": quantity,
            "PricingCurrencyListUnitPrice": _ONE,
            **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), quantity),
            **dict.fromkeys(("ConsumedUnit", "PricingUnit", "SkuMeter"), unit),
            **dict.fromkeys(("SkuId", "SkuPriceId"), sku),
        }


def _covers(period: Period, begin: datetime) -> bool:
    is_before_end = period.end is None or begin < period.end
    return period.start is not None and period.start <= begin and is_before_end


def _owner(cell: Cell, account: AccountReport) -> str:
    kind, identifier, name = cell.part or account.usage.account[:3]
    owner = f"{kind.replace('-', ' ')} {name or identifier}"
    return f"{owner}, {OTHER}" if account.parts and not cell.part else owner


def _part_columns(cell: Cell) -> dict[str, str]:
    if cell.part is None:
        return {}
    kind, identifier, name = cell.part
    if kind == "document-type":
        return {"x_DocumentType": name_of(name, identifier)}
    return {
        "SubAccountId": identifier,
        "SubAccountName": name,
        "SubAccountType": _capitalized(kind),
    }


def _period_rows(target: TargetReport, period: Period, price: Money) -> Iterator[dict[str, str]]:
    """The charge for a period, and one for what was used of it where no day has that."""
    assert period.start is not None  # noqa: S101  it begins in the report's days
    quantity = period.allowed or 1
    unit = _capitalized(period.unit) if period.allowed else "Periods"
    unit_price = decimal_text(quotient(price.amount, quantity, _PLACES))
    is_plan = period.kind != "allowance"
    sku = period.identifier if is_plan else f"{target.vendor.lower()}-{period.unit}-allowance"
    common = {
        **_account_columns(period.account, price.currency),
        **_time_columns(period.start, period.end or midnight(period.start.date()) + DAY),
        "PricingCurrency": price.currency,
        **dict.fromkeys(
            (
                *("ContractedUnitPrice", "ListUnitPrice"),
                *("PricingCurrencyContractedUnitPrice", "PricingCurrencyListUnitPrice"),
            ),
            unit_price,
        ),
        **dict.fromkeys(("PricingUnit", "SkuMeter"), unit),
        **dict.fromkeys(("SkuId", "SkuPriceId"), sku),
        "ResourceId": f"{target.target}/{period.identifier}",
        "ResourceName": period.name or period.identifier,
        "ResourceType": _capitalized(period.kind),
    }
    yield common | {
        "ChargeCategory": "Purchase",
        "ChargeDescription": _capitalized(_title(period)),
        "ChargeFrequency": "Recurring" if period.renews else "One-Time",
        **dict.fromkeys(("BilledCost", "ContractedCost", "ListCost"), decimal_text(price.amount)),
        **dict.fromkeys(("EffectiveCost", "PricingCurrencyEffectiveCost"), _ZERO),
        "PricingQuantity": decimal_text(Decimal(quantity)),
    }
    if period.used and period.allowed and not period.is_used_by_day:
        used = decimal_text(Decimal(period.used))
        cost = decimal_text(quotient(price.times(period.used).amount, quantity, _PLACES))
        yield common | {
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{unit} of {_title(period)}",
            "ChargeFrequency": "Usage-Based",
            "BilledCost": _ZERO,
            **dict.fromkeys(
                ("ContractedCost", "EffectiveCost", "ListCost", "PricingCurrencyEffectiveCost"),
                cost,
            ),
            **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), used),
            "ConsumedUnit": unit,
        }


def _account_columns(account: Account, currency: str) -> dict[str, str]:
    return {
        "BillingAccountId": account.identifier,
        "BillingAccountName": account.name,
        "BillingAccountType": _capitalized(account.kind),
        "BillingCurrency": currency,
        "RegionId": account.region,
        "RegionName": account.region_name,
    }


def _time_columns(begin: datetime, end: datetime) -> dict[str, str]:
    """The charge's period, and the calendar month in which it begins."""
    month = begin.date().replace(day=1)
    return {
        "ChargePeriodStart": _format(begin),
        "ChargePeriodEnd": _format(end),
        "BillingPeriodStart": _format(midnight(month)),
        "BillingPeriodEnd": _format(midnight(next_month(month))),
    }


def _capitalized(text: str) -> str:
    """The text with a capital at its beginning, and nothing else changed."""
    return text[:1].upper() + text[1:]


def _format(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
