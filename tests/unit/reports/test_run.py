"""Reports of the simulated vendors: totals to the credit, and as many requests as needed."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import pytest
from backfill_options import some_options
from exporter_process import affinda_target, configuration, served
from own_thread import in_own_thread
from report_runs import reading_of, silent_reader

from exporter.app import load_config
from exporter.backfill.run import backfill
from exporter.demo.accounts import (
    Accounts,
    Organization,
    Scope,
    credits_of_day,
    weekday_usage,
)
from exporter.demo.scenario import demo_accounts, demo_config
from exporter.demo.vendors import Request, SimulatedResponse, Vendors
from exporter.reports.options import DayRange
from exporter.reports.totals import totals

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.demo.accounts import Usage
    from exporter.reports.run import Reading

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
FEBRUARY = DayRange(date(2026, 2, 1), date(2026, 3, 1))


def credits_of(usage: Usage, days: DayRange = FEBRUARY) -> int:
    """What a simulated account used."""
    count = (days.after - days.first).days
    return sum(credits_of_day(usage, days.first + timedelta(days=day)) for day in range(count))


def demo(folder: Path, accounts: Accounts, by: str) -> Reading:
    """What is read of the demo's targets for February."""
    return reading_of(
        folder, Vendors(accounts), lambda url: demo_config(accounts, url), FEBRUARY, by
    )


@pytest.mark.parametrize("by", ["workspace", "document-type", "organization", "day", "month"])
def test_totals_of_the_demo_are_what_the_vendors_sent(tmp_path: Path, by: str) -> None:
    accounts = demo_accounts(lambda: NOW)
    reading = demo(tmp_path, accounts, by)
    expected = {each.identifier: credits_of(each.usage) for each in accounts.organizations}
    found = {
        account.usage.account.identifier: account.total.used
        for target in reading.targets
        for account in target.accounts
    }
    assert found == expected
    for target in reading.targets:
        for account in target.accounts:
            assert sum(row.used for row in account.rows) == account.total.used
    used, costs, _ = totals(reading.targets, FEBRUARY)
    assert used == {"credits": sum(expected.values())}
    assert costs == {
        "EUR": expected["eUrAcMe1"] * Decimal("0.05") + expected["lOgIaCm3"] * Decimal("0.09"),
        "USD": expected["uSaAcMe2"] * Decimal("0.06"),
    }
    assert reading.failures == ("acme-legacy: auth: HTTP status 401: Invalid token.",)


def test_workspaces_of_the_demo_have_what_the_vendor_sent(tmp_path: Path) -> None:
    accounts = demo_accounts(lambda: NOW)
    reading = demo(tmp_path, accounts, "workspace")
    found = {row.identifier: row.used for row in reading.targets[0].accounts[0].rows}
    workspaces = accounts.organizations[0].workspaces
    assert found == {each.identifier: credits_of(each.usage) for each in workspaces}


def test_periods_of_the_demo_have_what_the_vendor_sent(tmp_path: Path) -> None:
    accounts = demo_accounts(lambda: NOW)
    reading = demo(tmp_path, accounts, "workspace")
    found = [
        (period.kind, period.identifier, period.used, period.price and period.price.amount)
        for target in reading.targets
        if target.vendor == "Xtracta"
        for period in target.periods
    ]
    freight, pacific = accounts.groups
    (yearly,), (pack,), (branch,) = freight.plans, freight.packs, freight.subgroups
    monthly, quarterly = branch.plans[0], pacific.plans[0]
    before = monthly.history[0]
    sent = [
        ("pack", pack),
        *(("plan", each) for each in (yearly, before, monthly, quarterly)),
    ]
    assert sorted(found, key=str) == sorted(
        ((kind, str(each.id), each.used_at(NOW), Decimal(each.price)) for kind, each in sent),
        key=str,
    )


USAGE = cache(weekday_usage("sixty", 100))
SIXTY = Accounts(
    (
        Organization(
            "mEFayXdO",
            "Acme",
            "made-up-key-a",
            lambda day: 61 * USAGE(day),
            tuple(Scope(f"w{number:02}", f"Number {number}", USAGE) for number in range(60)),
            (Scope("dT1", "Invoice", USAGE),),
        ),
    ),
    now=lambda: NOW,
)


def sixty(url: str, parts: str = "workspaces: all") -> str:
    return configuration(affinda_target(url) + f"    {parts}\n")


def calls(vendors: Vendors) -> Counter[str]:
    """The requests by path."""
    found: Counter[str] = Counter()
    for (path, _), count in vendors.calls.items():
        found[path] += count
    return found


def test_a_month_of_60_workspaces_costs_as_many_requests_as_a_backfill(tmp_path: Path) -> None:
    reported, backfilled = Vendors(SIXTY), Vendors(SIXTY)
    reading = reading_of(tmp_path, reported, sixty, FEBRUARY, "workspace")
    (account,) = reading.targets[0].accounts
    assert [row.used for row in account.rows] == [credits_of(USAGE)] * 61
    assert account.total.used == 61 * credits_of(USAGE)
    # The current day, the organization, 60 workspaces; and the two lists that give names.
    assert calls(reported) == {"/v3/usage": 62, "/v3/organizations": 1, "/v3/workspaces": 1}
    with served(backfilled) as url:
        path = tmp_path / "config.yaml"
        path.write_text(sixty(url))
        targets = load_config(path, {}).targets
        days = {"first": FEBRUARY.first, "last": FEBRUARY.last, "step": 86_400}
        options = some_options(tmp_path, *targets, **days)
        written = backfill(options, silent_reader())
        assert in_own_thread(asyncio.run, written).failures == []
    assert calls(backfilled) == calls(reported)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("workspace", {"/v3/usage": 62, "/v3/organizations": 1, "/v3/workspaces": 1}),
        ("document-type", {"/v3/usage": 3, "/v3/organizations": 1, "/v3/document_types": 1}),
        ("organization", {"/v3/usage": 2, "/v3/organizations": 1}),
        ("day", {"/v3/usage": 2, "/v3/organizations": 1}),
    ],
)
def test_parts_without_a_row_cost_no_request(
    tmp_path: Path, by: str, expected: dict[str, int]
) -> None:
    vendors = Vendors(SIXTY)
    both = "workspaces: all\n    document_types: all"
    reading_of(tmp_path, vendors, lambda url: sixty(url, both), FEBRUARY, by)
    assert calls(vendors) == expected


def test_a_target_that_fails_costs_no_other(tmp_path: Path) -> None:
    def broken(request: Request) -> SimulatedResponse | None:
        return SimulatedResponse(403) if request.path == "/v3/workspaces" else None

    vendors = Vendors(SIXTY, broken)
    reading = reading_of(
        tmp_path,
        vendors,
        lambda url: sixty(url) + affinda_target(url, "acme-b"),
        FEBRUARY,
        "workspace",
    )
    assert [target.target for target in reading.targets] == ["acme-b"]
    (failure,) = reading.failures
    assert failure.startswith("acme-a: forbidden: list of workspaces: HTTP status 403")


def test_a_vendor_whose_day_has_not_begun_reports_nothing(tmp_path: Path) -> None:
    tomorrow = DayRange(date(2026, 3, 12), date(2026, 3, 13))
    reading = reading_of(tmp_path, Vendors(SIXTY), sixty, tomorrow, "workspace")
    assert [(each.accounts, each.periods) for each in reading.targets] == [((), ())]
    assert reading.failures == ()
