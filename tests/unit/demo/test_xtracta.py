"""The simulated Xtracta API, against the vendor's sample and XML schema."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from exporter.demo.accounts import Accounts, Group, Plan
from exporter.demo.messages import Request, SimulatedResponse
from exporter.demo.xtracta import account, respond

START = datetime(2015, 2, 27, 12, 10, 4, tzinfo=UTC)
EXPIRY = datetime(2015, 3, 27, 12, 10, 3, tzinfo=UTC)
EARLIER = Plan(1, "Plan A", 15, "NZD", 250, 200, START - timedelta(days=28), START)
PLAN = Plan(1, "Plan A", 15, "NZD", 250, 0, START, EXPIRY, (EARLIER,))
PACK = Plan(9, "Booster <&>", Decimal("7.50"), "AUD", 50, 60, START, EXPIRY)
SUBGROUP = Group(483, "Deep")
BRANCH = Group(482, "Branch", "branch-key", (PLAN,), (PACK,), (SUBGROUP,))
ACCOUNTS = Accounts(
    groups=(Group(481, "Head & Office", "head-key", (PLAN,), (), (BRANCH,)),),
    now=lambda: START + timedelta(days=1),
)
DATA = Path(__file__).parent.parent.parent.parent / "tests" / "data"
SCHEMA = etree.XMLSchema(etree.parse(DATA / "xtracta-usage.xsd"))
MARCH = {"billing_from": "1425168000", "billing_to": "1427760000"}


def ask(path: str, **form: str) -> SimulatedResponse:
    return respond(ACCOUNTS, Request("POST", path, form=form))


def usage(**form: str) -> etree._Element:
    return etree.fromstring(ask("/v1/billings/usage", **form).body)


def first_plan(accounts: Accounts) -> etree._Element:
    response = respond(accounts, Request("POST", "/v1/billings/usage", form={"api_key": "key"}))
    (plan,) = etree.fromstring(response.body).iter("plan")
    return plan


def texts(element: etree._Element) -> dict[str, str | None]:
    return {str(child.tag): child.text for child in element}


def lines(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if line.strip()]


def test_usage_is_identical_to_the_vendors_sample() -> None:
    response = ask("/v1/billings/usage", api_key="head-key")
    assert (response.status, response.content_type) == (200, "text/xml; charset=UTF-8")
    assert lines(response.body) == lines((DATA / "xtracta-usage-sample.xml").read_bytes())


def test_usage_of_one_plan_is_valid_against_the_vendors_schema() -> None:
    SCHEMA.assertValid(usage(api_key="head-key"))


def test_packs_follow_plans_with_the_same_elements() -> None:
    _, _, plan, pack = usage(api_key="branch-key")
    assert [child.tag for child in pack] == [child.tag for child in plan]
    assert texts(pack) == {
        "id": "9",
        "plan_name": "Booster <&>",
        "price": "7.50",
        "price_currency": "AUD",
        "allowed_documents": "50",
        "used_documents": "60",
        "available_documents": "0",
        "start_date": "2015-02-27 12:10:04 (GMT)",
        "expiry_date": "2015-03-27 12:10:03 (GMT)",
        "group_id": "482",
    }


def test_dates_are_in_gmt_whatever_their_time_zone() -> None:
    elsewhere = datetime.fromisoformat("2015-02-28T01:10:04+13:00")
    plan = Plan(1, "P", 1, "NZD", 1, 0, elsewhere, EXPIRY)
    accounts = Accounts(groups=(Group(1, "G", "key", (plan,)),))
    assert first_plan(accounts).findtext("start_date") == "2015-02-27 12:10:04 (GMT)"


def test_available_documents_decrease_with_time() -> None:
    now = [START]
    plan = Plan(1, "P", 1, "NZD", 10, lambda moment: (moment - START).days, START, EXPIRY)
    accounts = Accounts(groups=(Group(1, "G", "key", (plan,)),), now=lambda: now[0])
    assert first_plan(accounts).findtext("available_documents") == "10"
    now[0] += timedelta(days=4)
    assert first_plan(accounts).findtext("available_documents") == "6"


@pytest.mark.parametrize(
    ("form", "group"),
    [
        ({"api_key": "head-key"}, "481"),
        ({"api_key": "head-key", "group_id": ""}, "481"),
        ({"api_key": "head-key", "group_id": "482"}, "482"),
        ({"api_key": "branch-key"}, "482"),
    ],
)
def test_a_key_gives_access_to_its_group_and_subgroups(form: dict[str, str], group: str) -> None:
    assert usage(**form).findtext("plan/group_id") == group


@pytest.mark.parametrize("path", ["/v1/billings/usage", "/v1/billings/history", "/v1/group/list"])
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, "401"),
        ({"api_key": ""}, "401"),
        ({"api_key": "wrong"}, "401"),
        ({"api_key": "branch-key", "group_id": "481"}, "403"),
        ({"api_key": "head-key", "group_id": "999"}, "403"),
        ({"api_key": "head-key", "group_id": "48x"}, "400"),
        ({"api_key": "head-key", "group_id": "\u0664"}, "400"),
    ],
)
def test_an_error_is_a_status_in_a_response_with_http_200(
    path: str, form: dict[str, str], status: str
) -> None:
    response = ask(path, **form)
    root = etree.fromstring(response.body)
    assert response.status == 200
    assert [child.tag for child in root] == ["status", "message"]
    assert root.findtext("status") == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/billings/usage", 405),
        ("POST", "/v1/billings/usage/", 404),
        ("GET", "/v1/other", 404),
    ],
)
def test_other_methods_and_paths_are_http_errors(method: str, path: str, status: int) -> None:
    assert respond(ACCOUNTS, Request(method, path, form={"api_key": "head-key"})).status == status


def test_groups_are_listed_as_a_tree() -> None:
    response = ask("/v1/group/list", api_key="head-key")
    assert response.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<group_response>\n"
        "<status>200</status>\n"
        "<message>The request has been successfully processed</message>\n"
        "<group>\n<Id>481</Id>\n<ParentId>0</ParentId>\n<Name>Head &amp; Office</Name>\n"
        "<Subgroup>\n<Id>482</Id>\n<ParentId>481</ParentId>\n<Name>Branch</Name>\n"
        "<Subgroup>\n<Id>483</Id>\n<ParentId>482</ParentId>\n<Name>Deep</Name>\n"
        "</Subgroup>\n</Subgroup>\n</group>\n"
        "</group_response>\n"
    )


def test_the_tree_starts_at_the_requested_group_with_its_parent() -> None:
    response = ask("/v1/group/list", api_key="head-key", group_id="482")
    root = etree.fromstring(response.body)
    assert (root.findtext("group/Id"), root.findtext("group/ParentId")) == ("482", "481")


def history(**form: str) -> list[dict[str, str | None]]:
    response = ask("/v1/billings/history", **form)
    root = etree.fromstring(response.body)
    return [texts(activity) for activity in root.iter("activity")]


def test_history_has_the_periods_that_overlap_the_span() -> None:
    (activity,) = history(api_key="head-key", **MARCH)
    assert activity == {
        "id": "1",
        "plan": "Plan A",
        "plan_type": "plan",
        "price": "15",
        "credit_amount": "0",
        "price_currency": "NZD",
        "allowed_documents": "250",
        "used_documents": "0",
        "plan_activity": "active",
        "start_date": "2015-02-27T12:10:04+00:00",
        "expiry_date": "2015-03-27T12:10:03+00:00",
        "group_name": "Head & Office",
        "group_id": "481",
    }


@pytest.mark.parametrize(
    ("first", "last", "used"),
    [
        ("0", "1420000000", []),
        ("1420070400", "1423000000", ["200"]),
        ("1420070400", "1427760000", ["200", "0"]),
        ("1430000000", "1440000000", []),
    ],
)
def test_earlier_periods_come_first(first: str, last: str, used: list[str]) -> None:
    periods = history(api_key="head-key", billing_from=first, billing_to=last)
    assert [period["used_documents"] for period in periods] == used


@pytest.mark.parametrize("missing", ["billing_from", "billing_to"])
def test_history_requires_both_ends_of_the_span(missing: str) -> None:
    form = {name: value for name, value in MARCH.items() if name != missing}
    response = ask("/v1/billings/history", api_key="head-key", **form)
    assert etree.fromstring(response.body).findtext("status") == "400"


@pytest.mark.parametrize(("key", "group"), [("branch-key", "482"), ("wrong", "")])
def test_the_account_of_a_key_is_its_own_group(key: str, group: str) -> None:
    form = {"api_key": key, "group_id": "483"}
    assert account(ACCOUNTS, Request("POST", "/v1/billings/usage", form=form)) == group
