"""The report in FOCUS 1.2, literally."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal

import pytest
from past_usages import (
    ACCOUNT,
    ALLOWANCE,
    CLAIMS,
    DAYS,
    INVOICE,
    PLAN,
    PRICE,
    daily,
    moment,
    report_of,
)

from exporter.past_usage import Money
from exporter.reports.focus import COLUMNS, FocusError, focus_notes, focus_rows, format_focus
from exporter.reports.options import DayRange

OF_AFFINDA = {
    "BillingAccountId": "oRg1",
    "BillingAccountName": "Acme",
    "BillingAccountType": "Organization",
    "BillingCurrency": "EUR",
    "BillingPeriodEnd": "2026-04-01T00:00:00Z",
    "BillingPeriodStart": "2026-03-01T00:00:00Z",
    "ChargePeriodStart": "2026-03-01T00:00:00Z",
    "InvoiceId": "INV-1",
    "InvoiceIssuerName": "Affinda",
    "PricingCategory": "Standard",
    "ProviderName": "Affinda",
    "PublisherName": "Affinda",
    "RegionId": "api.eu1",
    "RegionName": "European Union",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Affinda",
    "ServiceSubcategory": "Natural Language Processing",
    "SkuMeter": "Credits",
    "PricingUnit": "Credits",
    "ContractedUnitPrice": "0.0125",
    "ListUnitPrice": "0.0125",
    "Tags": '{"target": "acme"}',
    "x_Target": "acme",
}
USAGE = OF_AFFINDA | {
    "BilledCost": "0.00",
    "ChargeCategory": "Usage",
    "ChargeDescription": "Credits of workspace Claims",
    "ChargeFrequency": "Usage-Based",
    "ChargePeriodEnd": "2026-03-02T00:00:00Z",
    "ConsumedQuantity": "4.00",
    "ConsumedUnit": "Credits",
    "ContractedCost": "0.05",
    "EffectiveCost": "0.05",
    "ListCost": "0.05",
    "PricingCurrency": "CREDITS",
    "PricingCurrencyContractedUnitPrice": "1.00",
    "PricingCurrencyEffectiveCost": "4.00",
    "PricingCurrencyListUnitPrice": "1.00",
    "PricingQuantity": "4.00",
    "SkuId": "affinda-credits",
    "SkuPriceId": "affinda-credits",
    "SubAccountId": "wS1",
    "SubAccountName": "Claims",
    "SubAccountType": "Workspace",
}
PURCHASE = OF_AFFINDA | {
    "BilledCost": "12.50",
    "ChargeCategory": "Purchase",
    "ChargeDescription": "Allowance monthly credits",
    "ChargeFrequency": "Recurring",
    "ChargePeriodEnd": "2026-04-01T00:00:00Z",
    "ContractedCost": "12.50",
    "EffectiveCost": "0.00",
    "ListCost": "12.50",
    "PricingCurrency": "EUR",
    "PricingCurrencyContractedUnitPrice": "0.0125",
    "PricingCurrencyEffectiveCost": "0.00",
    "PricingCurrencyListUnitPrice": "0.0125",
    "PricingQuantity": "1000.00",
    "ResourceId": "acme/credits",
    "ResourceName": "monthly credits",
    "ResourceType": "Allowance",
    "SkuId": "affinda-credits-allowance",
    "SkuPriceId": "affinda-credits-allowance",
}
OF_XTRACTA = {
    "BillingAccountId": "481",
    "BillingAccountName": "Head",
    "BillingAccountType": "Group",
    "BillingCurrency": "NZD",
    "BillingPeriodEnd": "2026-04-01T00:00:00Z",
    "BillingPeriodStart": "2026-03-01T00:00:00Z",
    "ChargePeriodEnd": "2026-03-03T06:30:00Z",
    "ChargePeriodStart": "2026-03-02T00:00:00Z",
    "ContractedUnitPrice": "0.111111111111",
    "InvoiceIssuerName": "Xtracta",
    "ListUnitPrice": "0.111111111111",
    "PricingCategory": "Standard",
    "PricingCurrency": "NZD",
    "PricingCurrencyContractedUnitPrice": "0.111111111111",
    "PricingCurrencyListUnitPrice": "0.111111111111",
    "PricingUnit": "Documents",
    "ProviderName": "Xtracta",
    "PublisherName": "Xtracta",
    "ResourceId": "acme/71",
    "ResourceName": "Yearly",
    "ResourceType": "Plan",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Xtracta",
    "ServiceSubcategory": "Natural Language Processing",
    "SkuId": "71",
    "SkuMeter": "Documents",
    "SkuPriceId": "71",
    "Tags": '{"target": "acme"}',
    "x_Target": "acme",
}
PERIOD = PLAN._replace(end=moment(2026, 3, 3, 6, 30), allowed=900)


def rows(*past: object, by: str = "workspace", invoice: str = "") -> list[dict[str, str]]:
    """The rows without their empty cells, read as a program would."""
    vendor = "Xtracta" if past[0] == PERIOD else "Affinda"
    report = report_of(*past, by=by, vendor=vendor)  # type: ignore[arg-type]  # as the cases want it
    text = format_focus(focus_rows(report, DAYS, invoice))
    return [
        {name: value for name, value in row.items() if value}
        for row in csv.DictReader(text.splitlines())
    ]


def test_the_columns_are_in_alphabetical_order_and_ours_come_last() -> None:
    assert format_focus([]) == (
        "BilledCost,BillingAccountId,BillingAccountName,BillingAccountType,BillingCurrency,"
        "BillingPeriodEnd,BillingPeriodStart,ChargeCategory,ChargeClass,ChargeDescription,"
        "ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,ConsumedQuantity,ConsumedUnit,"
        "ContractedCost,ContractedUnitPrice,EffectiveCost,InvoiceId,InvoiceIssuerName,ListCost,"
        "ListUnitPrice,PricingCategory,PricingCurrency,PricingCurrencyContractedUnitPrice,"
        "PricingCurrencyEffectiveCost,PricingCurrencyListUnitPrice,PricingQuantity,PricingUnit,"
        "ProviderName,PublisherName,RegionId,RegionName,ResourceId,ResourceName,ResourceType,"
        "ServiceCategory,ServiceName,ServiceSubcategory,SkuId,SkuMeter,SkuPriceId,SubAccountId,"
        "SubAccountName,SubAccountType,Tags,x_DocumentType,x_Target\n"
    )
    assert list(COLUMNS) == sorted(COLUMNS)


def test_usage_is_a_charge_that_an_allowance_has_paid_for() -> None:
    found = rows(daily(None, 4, 0, 0), daily(CLAIMS, 4, 0, 0), ALLOWANCE, invoice="INV-1")
    assert found == [USAGE, PURCHASE]


def test_each_day_and_part_with_usage_is_a_charge_and_so_is_the_rest() -> None:
    found = rows(daily(None, 10, 0, 5), daily(CLAIMS, 4, 0, 5))
    assert [
        (
            row["ChargePeriodStart"][:10],
            row.get("SubAccountId"),
            row["ConsumedQuantity"],
            row["ChargeDescription"],
        )
        for row in found
    ] == [
        ("2026-03-01", "wS1", "4.00", "Credits of workspace Claims"),
        ("2026-03-01", None, "6.00", "Credits of organization Acme, other"),
        ("2026-03-03", "wS1", "5.00", "Credits of workspace Claims"),
    ]


def test_without_an_allowance_usage_is_billed() -> None:
    (row,) = rows(daily(None, 4))
    assert (row["BilledCost"], row["EffectiveCost"]) == ("0.05", "0.05")
    assert "SubAccountId" not in row


def test_usage_outside_of_a_prepaid_period_is_billed() -> None:
    prepaid = ALLOWANCE._replace(start=moment(2026, 3, 2), end=moment(2026, 3, 3))
    found = rows(daily(None, 4, 4, 4), prepaid)
    assert [row["BilledCost"] for row in found] == ["0.05", "0.00", "0.05", "12.50"]
    open_end = prepaid._replace(end=None, renews=False)
    found = rows(daily(None, 4, 4, 4), open_end)
    assert [row["BilledCost"] for row in found] == ["0.05", "0.00", "0.00", "12.50"]
    assert (found[-1]["ChargeFrequency"], found[-1]["ChargePeriodEnd"]) == (
        *("One-Time", "2026-03-03T00:00:00Z"),
    )


def test_another_accounts_allowance_pays_for_nothing() -> None:
    other = ALLOWANCE._replace(account=ACCOUNT._replace(identifier="oRg2"))
    assert rows(daily(None, 4), other)[0]["BilledCost"] == "0.05"


def test_a_document_type_is_a_column_of_ours() -> None:
    (row,) = rows(daily(None, 4), daily(INVOICE, 4), by="document-type")
    assert (row["x_DocumentType"], row.get("SubAccountId")) == ("Invoice (dT1)", None)
    assert row["ChargeDescription"] == "Credits of document type Invoice"


def test_a_plan_is_a_purchase_and_its_use() -> None:
    assert rows(PERIOD) == [
        OF_XTRACTA
        | {
            "BilledCost": "100.00",
            "ChargeCategory": "Purchase",
            "ChargeDescription": "Plan Yearly (71)",
            "ChargeFrequency": "One-Time",
            "ContractedCost": "100.00",
            "EffectiveCost": "0.00",
            "ListCost": "100.00",
            "PricingCurrencyEffectiveCost": "0.00",
            "PricingQuantity": "900.00",
        },
        OF_XTRACTA
        | {
            "BilledCost": "0.00",
            "ChargeCategory": "Usage",
            "ChargeDescription": "Documents of plan Yearly (71)",
            "ChargeFrequency": "Usage-Based",
            "ConsumedQuantity": "600.00",
            "ConsumedUnit": "Documents",
            "ContractedCost": "66.666666666667",
            "EffectiveCost": "66.666666666667",
            "ListCost": "66.666666666667",
            "PricingCurrencyEffectiveCost": "66.666666666667",
            "PricingQuantity": "600.00",
        },
    ]


def test_a_plan_that_was_not_used_is_only_a_purchase() -> None:
    assert [row["ChargeCategory"] for row in rows(PERIOD, PERIOD._replace(used=0))] == [
        *("Purchase", "Usage", "Purchase"),
    ]


def test_an_unlimited_plan_is_one_period() -> None:
    _, _, row = rows(PERIOD, PERIOD._replace(allowed=None, name="", renews=True))
    assert (row["PricingQuantity"], row["PricingUnit"], row["ListUnitPrice"]) == (
        *("1.00", "Periods", "100.00"),
    )
    assert (row["ResourceName"], row["ChargeFrequency"]) == ("71", "Recurring")


def test_a_second_resource_of_a_plan_has_no_charge() -> None:
    pages = PERIOD._replace(unit="pages", price=None, has_own_price=False)
    assert [row["SkuMeter"] for row in rows(PERIOD, pages)] == ["Documents"] * 2


@pytest.mark.parametrize(
    ("start", "count"), [((2026, 2, 28, 23), 0), ((2026, 3, 3, 23), 2), ((2026, 3, 4), 0)]
)
def test_a_period_is_charged_in_the_range_in_which_it_begins(
    start: tuple[int, ...], count: int
) -> None:
    period = PERIOD._replace(start=moment(*start), end=moment(2026, 5, 1))
    report = report_of(period)
    assert len(focus_rows(report, DAYS, "")) == count
    notes = list(focus_notes(report, DAYS))
    assert len(notes) == (0 if count else 1)


def test_two_months_put_together_have_each_purchase_once() -> None:
    march, april = (
        DayRange(date(2026, 3, 1), date(2026, 4, 1)),
        DayRange(date(2026, 4, 1), date(2026, 5, 1)),
    )
    report = report_of(PERIOD._replace(start=moment(2026, 3, 31, 23), end=moment(2026, 4, 30)))
    assert [len(focus_rows(report, days, "")) for days in (march, april)] == [2, 0]


def test_periods_that_are_not_in_the_file_are_named() -> None:
    before = PERIOD._replace(start=moment(2026, 2, 1, 6))
    assert list(focus_notes(report_of(before, PERIOD._replace(start=None)), DAYS)) == [
        "plan Yearly (71) began on 2026-02-01 06:00: its price is not in the file",
        "plan Yearly (71) has no start date: its price is not in the file",
    ]


def test_usage_without_a_price_says_which_keys_to_set() -> None:
    with pytest.raises(FocusError) as caught:
        focus_rows(report_of(daily(None, 4, unit_price=None)), DAYS, "")
    assert str(caught.value) == "acme: no price of credits: set allowance.price"
    with pytest.raises(FocusError) as caught:
        focus_rows(report_of(daily(None, 4, unit_price=None, price_keys="")), DAYS, "")
    assert str(caught.value) == "acme: no price of credits"


def test_a_plan_without_a_price_is_an_error() -> None:
    with pytest.raises(FocusError, match=r"acme: plan Yearly \(71\) has no price"):
        focus_rows(report_of(PLAN._replace(price=None)), DAYS, "")


def test_costs_are_exact_and_have_no_exponent() -> None:
    tiny = Money(Decimal("1E-9"), "EUR")
    (row,) = rows(daily(None, 7, unit_price=tiny))
    assert (row["EffectiveCost"], row["ListUnitPrice"]) == ("0.000000007", "0.000000001")
    huge = Money(Decimal("0.12345678901234567"), "EUR")
    (row,) = rows(daily(None, 10**11, unit_price=huge))
    assert row["EffectiveCost"] == "12345678901.234567"


def test_effective_cost_is_what_was_used_and_billed_cost_what_was_purchased() -> None:
    found = rows(daily(None, 10, 20, 30), daily(CLAIMS, 1, 30, 3), ALLOWANCE)
    assert sum(Decimal(row["EffectiveCost"]) for row in found) == PRICE.times(60).amount
    assert sum(Decimal(row["BilledCost"]) for row in found) == PRICE.times(1000).amount


def test_names_of_other_people_are_text() -> None:
    found = rows(daily(None, 4), daily(CLAIMS._replace(name='=cmd|"x", y'), 4))
    assert found[0]["SubAccountName"] == '\'=cmd|"x", y'


def test_a_name_in_another_script_stays_as_it_is() -> None:
    report = report_of(daily(None, 4), target="アクメ")
    assert focus_rows(report, DAYS, "")[0]["Tags"] == '{"target": "アクメ"}'
