"""The report as CSV, literally."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal

from past_usages import ALLOWANCE, CLAIMS, GROUP, NOW, PLAN, daily, moment, report_of

from exporter.past_usage import Money
from exporter.reports.csv_format import COLUMNS, format_csv

HEADER = (
    "target,vendor,account_type,account_id,account_name,type,id,name,start,end,complete,unit,used,"
    "share,unit_price,cost,currency,allowed,allowance_used,unused,price,price_per_used\n"
)


def test_rows_and_periods_are_lines() -> None:
    eu = report_of(daily(None, 10, 20, 30), daily(CLAIMS, 1, 2, 3), ALLOWANCE, target="acme-eu")
    nz = report_of(
        PLAN._replace(end=moment(2026, 3, 31, 6, 30), price=Money(Decimal("0.00000001"), "NZD")),
        target="acme-nz",
        vendor="Xtracta",
    )
    assert format_csv([eu, nz], NOW) == HEADER + (
        "acme-eu,Affinda,organization,oRg1,Acme,workspace,wS1,Claims,2026-03-01,2026-03-04,true,"
        "credits,6,0.1000,0.0125,0.0750,EUR,,,,,\n"
        "acme-eu,Affinda,organization,oRg1,Acme,other,,,2026-03-01,2026-03-04,true,"
        "credits,54,0.9000,0.0125,0.6750,EUR,,,,,\n"
        "acme-eu,Affinda,organization,oRg1,Acme,allowance,credits,monthly credits,2026-03-01,"
        "2026-04-01,false,credits,,,,,EUR,1000,60,940,12.5000,0.208333\n"
        "acme-nz,Xtracta,group,481,Head,plan,71,Yearly,2026-03-02,2026-03-31T06:30:00Z,true,"
        "documents,600,,,,NZD,800,600,200,0.00000001,0.000000\n"
    )


def test_what_is_not_known_is_empty() -> None:
    usage = daily(None, 0, unit_price=None, current_day=date(2026, 3, 1))
    pages = PLAN._replace(unit="pages", start=None, end=None, allowed=None, used=None, price=None)
    assert format_csv([report_of(usage, pages)], NOW) == HEADER + (
        "acme,Affinda,organization,oRg1,Acme,organization,oRg1,Acme,2026-03-01,2026-03-02,false,"
        "credits,0,,,,,,,,,\n"
        "acme,Affinda,group,481,Head,plan,71,Yearly,,,false,pages,,,,,,,,,,\n"
    )


def test_names_of_other_people_are_text() -> None:
    names = ['=HYPERLINK("http://x")', "+1", "-cmd", "@SUM", 'a "b", c', "two\nlines", "\t=1"]
    parts = [
        daily(CLAIMS._replace(identifier=f"w{index}", name=name), 10 - index)
        for index, name in enumerate(names)
    ]
    text = format_csv([report_of(daily(None, 40), *parts)], NOW)
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    assert [row["name"] for row in rows] == [
        *('\'=HYPERLINK("http://x")', "'+1", "'-cmd", "'@SUM", 'a "b", c', "two\nlines", "'\t=1"),
        "",
    ]
    assert rows[-1]["used"] == "-9"
    assert rows[-1]["cost"] == "-0.1125"


def test_used_of_an_account_adds_up_to_its_total() -> None:
    whole = report_of(daily(None, 10, 20), daily(CLAIMS, 3, 4), ALLOWANCE, PLAN)
    lines = csv.DictReader(format_csv([whole], NOW).splitlines())
    found = [(line["account_id"], int(line["used"] or 0)) for line in lines]
    assert sum(used for account, used in found if account == "oRg1") == 30
    assert sum(used for account, used in found if account == GROUP.identifier) == 600


def test_every_line_has_every_column() -> None:
    text = format_csv([report_of(daily(None, 10), ALLOWANCE, PLAN)], NOW)
    assert {len(line) for line in csv.reader(text.splitlines())} == {len(COLUMNS)}
