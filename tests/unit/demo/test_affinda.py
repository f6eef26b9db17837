"""The simulated Affinda API, against the vendor's OpenAPI document."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml_text import parsed

from exporter.demo.accounts import Accounts, Organization, Scope, business_hours
from exporter.demo.affinda import account, respond
from exporter.demo.messages import Request

NOON = datetime(2026, 3, 2, 13, tzinfo=UTC)
ORGANIZATION = Organization(
    "mEFayXdO",
    'Acme "Quoted" Grüße',
    "right-key",
    {date(2026, 3, 2): 12, date(2026, 3, 1): 0, date(2026, 2, 28): 30, date(2020, 1, 1): 5},
    workspaces=(
        Scope("wOne", "Claims", {date(2023, 7, 26): 8, date(2023, 7, 27): 9}),
        Scope("wTwo", "Invoices", {}),
    ),
    document_types=(Scope("dOne", "Passport", lambda _: 2),),
)
ACCOUNTS = Accounts(
    (
        ORGANIZATION,
        Organization("sEcOnd", "Second", "right-key", {}),
        Organization("mEmBer", "Member", "member-key", {}, admin=False),
        Organization("oThEr", "Other", "other-key", {}),
    ),
    now=lambda: NOON,
)
DAYS = st.dates(date(2022, 1, 1), date(2027, 1, 1))
MINE = {"organization": "mEFayXdO"}
BEARER = "Bearer right-key"
TEXT = (
    (Path(__file__).parent.parent.parent.parent / "tests" / "data")
    .joinpath("affinda-v3-subset-openapi.yml")
    .read_text()
)


def with_null(schema: Any) -> Any:  # noqa: ANN401  any part of a schema
    """OpenAPI 3.0 says `nullable` where JSON Schema lists `null` among the types."""
    if isinstance(schema, list):
        return [with_null(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    mended = {name: with_null(part) for name, part in schema.items()}
    if mended.get("nullable") is True and "type" in mended:
        mended["type"] = [mended["type"], "null"]
    return mended


COMPONENTS = with_null(parsed(TEXT)["components"])


def conforms(value: object, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": COMPONENTS}
    jsonschema.validate(
        value,
        schema,
        jsonschema.Draft202012Validator,
        format_checker=jsonschema.FormatChecker(),
    )


def get(
    path: str, query: dict[str, str], key: str = "right-key", accounts: Accounts = ACCOUNTS
) -> Any:  # noqa: ANN401  any JSON
    response = respond(accounts, Request("GET", path, query, {"authorization": f"Bearer {key}"}))
    assert response.status == 200, response.body
    assert response.content_type == "application/json"
    return json.loads(response.body)


def usage(**query: str) -> Any:  # noqa: ANN401  any JSON
    return get("/v3/usage", MINE | query)


def usage_in(accounts: Accounts, **query: str) -> Any:  # noqa: ANN401  any JSON
    return get("/v3/usage", MINE | query, accounts=accounts)


def test_usage_omits_days_without_credits() -> None:
    assert usage() == {
        "scope": "organization",
        "scopeIdentifier": "mEFayXdO",
        "start": "2025-03-02",
        "end": "2026-03-02",
        "total": 42,
        "items": [{"date": "2026-02-28", "count": 30}, {"date": "2026-03-02", "count": 12}],
    }


def test_the_window_is_inclusive_at_both_ends() -> None:
    window = usage(start="2020-01-01", end="2026-02-28")
    assert window["total"] == 35
    assert [item["date"] for item in window["items"]] == ["2020-01-01", "2026-02-28"]


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ({"end": "2024-12-31"}, "2024-01-01", "2024-12-31"),
        ({"start": "2026-03-02"}, "2026-03-02", "2026-03-02"),
        ({"end": "0001-03-01"}, "0001-01-01", "0001-03-01"),
        ({"end": "2027-01-01"}, "2026-01-01", "2027-01-01"),
    ],
)
def test_the_default_window_is_the_year_until_today(
    query: dict[str, str], start: str, end: str
) -> None:
    window = usage(**query)
    assert (window["start"], window["end"]) == (start, end)


def test_the_current_day_has_its_usage_so_far() -> None:
    accounts = Accounts(ACCOUNTS.organizations, now=ACCOUNTS.now, elapsed=business_hours)
    assert usage_in(accounts, start="2026-03-02")["total"] == 6


def test_a_workspace_has_no_usage_before_it_was_tracked() -> None:
    window = usage(workspace="wOne", start="2023-01-01", end="2024-01-01")
    assert (window["scope"], window["scopeIdentifier"]) == ("workspace", "wOne")
    assert window["items"] == [{"date": "2023-07-27", "count": 9}]


def test_a_window_before_tracking_began_has_no_items() -> None:
    assert usage(document_type="dOne", start="2023-01-01", end="2023-07-26")["items"] == []


def test_a_document_type_is_a_scope() -> None:
    window = usage(document_type="dOne", start="2026-02-27")
    assert (window["scope"], window["total"], len(window["items"])) == ("documentType", 8, 4)


def test_a_mapping_may_change_between_two_requests() -> None:
    days = {date(2026, 3, 1): 4}
    accounts = Accounts((Organization("mEFayXdO", "A", "right-key", days),), now=lambda: NOON)
    assert usage_in(accounts)["total"] == 4
    days[date(2026, 2, 1)] = 5
    assert usage_in(accounts)["total"] == 9


@given(DAYS, DAYS, st.integers(0, 500))
def test_the_total_is_the_sum_of_the_items(today: date, end: date, days: int) -> None:
    accounts = Accounts(
        (Organization("mEFayXdO", "A", "right-key", lambda day: day.day % 3),),
        now=lambda: datetime(today.year, today.month, today.day, 13, tzinfo=UTC),
    )
    window = usage_in(accounts, start=str(end - timedelta(days=days)), end=str(end))
    assert window["total"] == sum(item["count"] for item in window["items"])


@pytest.mark.parametrize("scope", [{}, {"workspace": "wOne"}, {"document_type": "dOne"}])
def test_usage_conforms_to_the_vendors_schema(scope: dict[str, str]) -> None:
    conforms(usage(**scope), "UsageResponse")


@pytest.mark.parametrize(
    ("path", "schema", "identifiers"),
    [
        ("/v3/organizations", "Organization", ["mEFayXdO", "sEcOnd"]),
        ("/v3/workspaces", "Workspace", ["wOne", "wTwo"]),
        ("/v3/document_types", "DocumentType", ["dOne"]),
    ],
)
def test_lists_are_plain_arrays_that_conform_to_the_vendors_schema(
    path: str, schema: str, identifiers: list[str]
) -> None:
    snapshots = get(path, MINE)
    assert [snapshot["identifier"] for snapshot in snapshots] == identifiers
    for snapshot in snapshots:
        conforms(snapshot, schema)


def test_organizations_are_those_of_the_keys_user() -> None:
    assert get("/v3/organizations", {}, "member-key") == [
        {"identifier": "mEmBer", "name": "Member", "userRole": "member", "isTrial": False}
    ]


def test_names_may_have_any_character() -> None:
    assert get("/v3/organizations", {})[0]["name"] == 'Acme "Quoted" Grüße'


def test_document_types_need_no_organization() -> None:
    assert get("/v3/document_types", {}) == [
        {"identifier": "dOne", "name": "Passport", "organization": "mEFayXdO"}
    ]


@pytest.mark.parametrize(
    ("request_", "status", "attr", "code"),
    [
        (Request("GET", "/v3/usage", MINE), 401, None, "not_authenticated"),
        (
            Request("GET", "/v3/usage", MINE, {"authorization": "Token right-key"}),
            401,
            None,
            "not_authenticated",
        ),
        (
            Request("GET", "/v3/organizations", {}, {"authorization": "Bearer wrong"}),
            401,
            None,
            "authentication_failed",
        ),
        (
            Request(
                "GET",
                "/v3/usage",
                {"organization": "mEmBer"},
                {"authorization": "Bearer member-key"},
            ),
            403,
            None,
            "permission_denied",
        ),
        (
            Request("POST", "/v3/usage", MINE, {"authorization": BEARER}),
            405,
            None,
            "method_not_allowed",
        ),
        (Request("GET", "/v3/", MINE, {"authorization": BEARER}), 404, None, "not_found"),
    ],
)
def test_a_forbidden_request_is_an_error(
    request_: Request, status: int, attr: str | None, code: str
) -> None:
    refused(request_, status, attr, code)


@pytest.mark.parametrize(
    ("query", "status", "attr", "code"),
    [
        ({}, 400, "organization", "required"),
        ({"organization": "nObody"}, 400, "organization", "does_not_exist"),
        ({"organization": "oThEr"}, 400, "organization", "does_not_exist"),
        (MINE | {"workspace": "wOne", "document_type": "dOne"}, 400, "non_field_errors", "invalid"),
        (MINE | {"workspace": "dOne"}, 404, None, "not_found"),
        (MINE | {"document_type": "wOne"}, 404, None, "not_found"),
        (MINE | {"start": "20260101"}, 400, "start", "invalid"),
        (MINE | {"start": "2026-W01-1"}, 400, "start", "invalid"),
        (MINE | {"end": "2026-02-30"}, 400, "end", "invalid"),
        (MINE | {"start": "2026-02-02", "end": "2026-02-01"}, 400, "start", "invalid"),
    ],
)
def test_an_invalid_query_is_an_error(
    query: dict[str, str], status: int, attr: str | None, code: str
) -> None:
    refused(Request("GET", "/v3/usage", query, {"authorization": BEARER}), status, attr, code)


def refused(request: Request, status: int, attr: str | None, code: str) -> None:
    response = respond(ACCOUNTS, request)
    assert response.status == status
    body = json.loads(response.body)
    conforms(body, "RequestError")
    (error,) = body["errors"]
    assert (error["attr"], error["code"]) == (attr, code)


@pytest.mark.parametrize(("key", "name"), [("right-key", "mEFayXdO"), ("wrong", ""), ("", "")])
def test_the_account_of_a_key_is_its_first_organization(key: str, name: str) -> None:
    request = Request("GET", "/v3/usage", MINE, {"authorization": f"Bearer {key}"})
    assert account(ACCOUNTS, request) == name
