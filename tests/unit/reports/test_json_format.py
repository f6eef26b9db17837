"""The report as JSON, literally."""

from __future__ import annotations

import json

from past_usages import ALLOWANCE, CLAIMS, DAYS, NOW, PLAN, daily, plan_of, report_of

from exporter.reports.json_format import format_json

NAMES = {"type": "organization", "id": "oRg1", "name": "Acme"}
DATES = {"start": "2026-03-01", "end": "2026-03-04", "complete": True, "unknown_days": 0}


def test_amounts_and_shares_are_strings_and_counts_are_numbers() -> None:
    found = report_of(daily(None, 10, 20, 30), daily(CLAIMS, 20, 20, 20), ALLOWANCE)
    document = json.loads(format_json(plan_of(), [found], ["acme-b: auth: no"], NOW))
    cost = {"amount": "0.7500", "currency": "EUR"}
    assert document == {
        "from": "2026-03-01",
        "to": "2026-03-04",
        "by": "workspace",
        "targets": [
            {
                "target": "acme",
                "vendor": "Affinda",
                "accounts": [
                    {
                        **NAMES,
                        "unit": "credits",
                        "unit_price": {"amount": "0.0125", "currency": "EUR"},
                        "current_day": "2026-04-01",
                        "rows": [
                            {
                                "type": "workspace",
                                "id": "wS1",
                                "name": "Claims",
                                **DATES,
                                "used": 60,
                                "share": "1.0000",
                                "cost": cost,
                            }
                        ],
                        "total": NAMES | DATES | {"used": 60, "share": "1.0000", "cost": cost},
                    }
                ],
                "periods": [
                    {
                        "account": NAMES,
                        "type": "allowance",
                        "id": "credits",
                        "name": "monthly credits",
                        "start": "2026-03-01",
                        "end": "2026-04-01",
                        "within_range": False,
                        "complete": False,
                        "unit": "credits",
                        "allowed": 1000,
                        "used": 60,
                        "unused": 940,
                        "price": {"amount": "12.5000", "currency": "EUR"},
                        "price_per_used": "0.208333",
                    }
                ],
            }
        ],
        "totals": {
            "used": {"credits": 60},
            "costs": {"EUR": "0.7500"},
            "purchased": {"EUR": "12.5000"},
        },
        "failures": ["acme-b: auth: no"],
    }


def test_what_is_not_known_is_null() -> None:
    period = PLAN._replace(start=None, end=None, allowed=None, used=None, price=None)
    found = report_of(daily(None, 0, unit_price=None), period)
    (target,) = json.loads(format_json(plan_of(), [found], [], NOW))["targets"]
    (account,), (shown,) = target["accounts"], target["periods"]
    assert (account["unit_price"], account["total"]["share"], account["total"]["cost"]) == (
        *(None, None, None),
    )
    fields = ("start", "end", "allowed", "used", "unused", "price", "price_per_used")
    assert [shown[field] for field in fields] == [None] * 7


def test_the_range_is_that_of_the_report() -> None:
    document = json.loads(format_json(plan_of(days=DAYS, by="day"), [], [], NOW))
    assert (document["by"], document["targets"]) == ("day", [])
