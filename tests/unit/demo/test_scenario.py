"""The demo's accounts and configuration, on any date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from laws import examples
from lxml import etree
from yaml_text import parsed

from exporter.demo.scenario import demo_accounts, demo_config
from exporter.demo.vendors import Request, Vendors

MOMENTS = st.datetimes(datetime(2024, 3, 1), datetime(2080, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  the strategy adds the zone
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def targets_at(moment: datetime) -> tuple[Vendors, dict[str, dict[str, Any]]]:
    accounts = demo_accounts(lambda: moment)
    config = parsed(demo_config(accounts, "http://127.0.0.1:1"))
    return Vendors(accounts), {target["name"]: target for target in config["targets"]}


def used(vendors: Vendors, target: dict[str, Any], start: str) -> int:
    query = {"organization": target["organization"], "start": start}
    headers = {"authorization": f"Bearer {target['api_key']}"}
    response = vendors.answer(Request("GET", "/v3/usage", query, headers))
    assert response.status == 200
    total = parsed(response.body)["total"]
    assert isinstance(total, int)
    return total


def plan_of(vendors: Vendors, key: str, **form: str) -> dict[str, str | None]:
    request = Request("POST", "/v1/billings/usage", form={"api_key": key, **form})
    plan = etree.fromstring(vendors.answer(request).body).find("plan")
    assert plan is not None
    return {str(child.tag): child.text for child in plan}


def test_the_configuration_has_a_target_for_every_state() -> None:
    _, targets = targets_at(NOON)
    assert list(targets) == [
        "acme-eu",
        "acme-us",
        "acme-logistics",
        "acme-nz",
        "acme-pacific",
        "acme-legacy",
    ]
    assert {target["base_url"] for target in targets.values()} == {"http://127.0.0.1:1"}
    assert all(target["api_key"].startswith("demo-") for target in targets.values())


def test_the_demo_polls_often() -> None:
    config = parsed(demo_config(demo_accounts(), "http://127.0.0.1:1"))
    assert config["poll"] == {"interval": "15s"}


@given(MOMENTS)
@example(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
@example(datetime(2027, 1, 1, tzinfo=UTC))
@examples(15)
def test_one_monthly_allowance_lasts_and_the_other_runs_out_on_any_date(moment: datetime) -> None:
    vendors, targets = targets_at(moment)
    month_end = (moment.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(seconds=1)
    at_the_end = Vendors(demo_accounts(lambda: month_end))
    first = f"{moment:%Y-%m-01}"
    europe, america = targets["acme-eu"], targets["acme-us"]
    assert used(at_the_end, europe, first) < 0.8 * europe["allowance"]["credits"]
    left = america["allowance"]["credits"] - used(vendors, america, first)
    assert 0 <= left <= used(at_the_end, america, first) - used(vendors, america, first) + 1


@pytest.mark.parametrize("day", [12, 15, 20, 25, 30])
def test_the_allowance_that_runs_out_is_nearly_used_up(day: int) -> None:
    vendors, targets = targets_at(NOON.replace(day=day))
    america = targets["acme-us"]
    allowed = america["allowance"]["credits"]
    assert 0.75 * allowed < used(vendors, america, "2026-11-01") <= allowed


def test_the_prepaid_allowance_is_partly_used() -> None:
    vendors, targets = targets_at(NOON)
    allowance = targets["acme-logistics"]["allowance"]
    assert (allowance["period"], allowance["ends"] - allowance["starts"]) == (
        "prepaid",
        timedelta(days=365),
    )
    spent = used(vendors, targets["acme-logistics"], str(allowance["starts"]))
    assert 0.5 < spent / allowance["credits"] < 0.8


@given(MOMENTS)
@examples(8)
def test_every_plan_has_its_intended_state_on_any_date(moment: datetime) -> None:
    vendors, _ = targets_at(moment)
    healthy = plan_of(vendors, "demo-key-4-not-real")
    ending = plan_of(vendors, "demo-key-4-not-real", group_id="4102")
    scarce = plan_of(vendors, "demo-key-5-not-real")
    assert (healthy["price_currency"], ending["price_currency"]) == ("NZD", "AUD")
    assert left(healthy) > 0.5
    assert left(ending) > 0.25
    assert 0 < left(scarce) < 0.05
    expiry = f"{moment + timedelta(days=3):%Y-%m-%d %H:%M:%S} (GMT)"
    assert ending["expiry_date"] == expiry


def left(plan: dict[str, str | None]) -> float:
    return int(plan["available_documents"] or 0) / int(plan["allowed_documents"] or 0)


@pytest.mark.parametrize(
    ("group", "states"),
    [("4101", ["expired", "active", "active"]), ("4102", ["expired", "active"])],
)
def test_the_plans_have_an_earlier_period(group: str, states: list[str]) -> None:
    vendors, _ = targets_at(NOON)
    form = {"api_key": "demo-key-4-not-real", "group_id": group}
    form |= {"billing_from": "0", "billing_to": "9999999999"}
    response = vendors.answer(Request("POST", "/v1/billings/history", form=form))
    found = [state.text for state in etree.fromstring(response.body).iter("plan_activity")]
    assert found == states


def test_the_key_of_the_failing_target_is_rejected() -> None:
    vendors, targets = targets_at(NOON)
    headers = {"authorization": f"Bearer {targets['acme-legacy']['api_key']}"}
    assert vendors.answer(Request("GET", "/v3/usage", {}, headers)).status == 401


@given(MOMENTS)
@examples(8)
def test_parts_of_an_organization_use_no_more_than_the_organization(moment: datetime) -> None:
    accounts = demo_accounts(lambda: moment)
    europe = accounts.organizations[0]
    day = moment.date()
    whole = accounts.credits(europe.usage, day, moment)
    for parts in (europe.workspaces, europe.document_types):
        assert sum(accounts.credits(part.usage, day, moment) for part in parts) <= whole
