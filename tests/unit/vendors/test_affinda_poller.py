"""Polls of the simulated Affinda: which requests are made, and which scopes are found."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from vendor_calls import KEY, affinda_settings, directly, poll, run, series

from exporter.demo.accounts import Accounts, Organization, Scope
from exporter.demo.vendors import SimulatedResponse, Vendors
from exporter.model import Anomaly, FailureReason, PollError, ScopeFailure
from exporter.vendors.affinda.poller import create_poller

if TYPE_CHECKING:
    from exporter.client.client import Request as Call
    from exporter.demo.vendors import Request
    from exporter.model import PollResult
    from exporter.vendors.base import Poller, Transport

TODAY = datetime(2026, 5, 17, 13, tzinfo=UTC)
CLAIMS = Scope("wS1", "Claims", {date(2026, 5, 17): 3})
INVOICES = Scope("wS2", "Invoices", {date(2026, 5, 17): 4})
PASSPORT = Scope("dT1", "Passport", {date(2026, 5, 17): 5})
ACME = Organization(
    "oRg1",
    "Acme",
    KEY,
    {date(2026, 5, 17): 9, date(2024, 1, 1): 70},
    (CLAIMS, INVOICES),
    (PASSPORT,),
)
WORKSPACES = "/v3/workspaces"
USAGE = "/v3/usage"


class Clock:
    """A monotonic clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def vendors(organization: Organization = ACME) -> Vendors:
    return Vendors(Accounts((organization,), now=lambda: TODAY))


def requests_to(server: Vendors, path: str) -> list[dict[str, str]]:
    """The queries made to a path, without the organization's."""
    queries = [dict(request.query) for request in server.log if request.path == path]
    return [{name: query[name] for name in query if name != "organization"} for query in queries]


def daily(found: dict[str, float], axis: str) -> dict[str, float]:
    """Today's credits by scope."""
    prefix = f"affinda_{axis}_credits_daily{{oRg1,"
    return {
        name.removeprefix(prefix).rstrip("}"): value
        for name, value in found.items()
        if name.startswith(prefix)
    }


def test_one_request_serves_the_organization_and_one_its_name() -> None:
    server = vendors()
    found = series(poll(create_poller(affinda_settings()), server))
    assert requests_to(server, USAGE) == [{}]
    assert requests_to(server, "/v3/organizations") == [{}]
    assert len(server.log) == 2
    assert found["affinda_credits_daily{oRg1}"] == 9
    assert found["affinda_organization_info{oRg1,Acme}"] == 1


def test_each_scope_is_a_request_for_the_organizations_day() -> None:
    server = vendors()
    settings = affinda_settings(workspaces=("wS2", "wS1"), document_types=("dT1",))
    found = series(poll(create_poller(settings), server))
    assert requests_to(server, USAGE) == [
        {},
        {"workspace": "wS2", "end": "2026-05-17"},
        {"workspace": "wS1", "end": "2026-05-17"},
        {"document_type": "dT1", "end": "2026-05-17"},
    ]
    assert daily(found, "workspace") == {"wS1": 3, "wS2": 4}
    assert daily(found, "document_type") == {"dT1": 5}
    assert found["affinda_document_type_info{oRg1,dT1,Passport}"] == 1


def test_the_lists_are_read_once_an_interval() -> None:
    server, clock = vendors(), Clock()
    settings = affinda_settings(workspaces="all", discovery={"interval": "1h"})
    fetch = create_poller(settings, clock)
    for clock.seconds in (0.0, 1800.0, 3599.0, 3600.0, 5000.0):
        poll(fetch, server)
    assert server.calls[WORKSPACES, "oRg1"] == 2
    assert server.calls["/v3/organizations", "oRg1"] == 2
    assert server.calls["/v3/document_types", "oRg1"] == 0


def test_new_scopes_appear_and_removed_ones_disappear() -> None:
    server, clock = vendors(), Clock()
    fetch = create_poller(affinda_settings(workspaces="all", document_types="all"), clock)
    found = series(poll(fetch, server))
    assert (daily(found, "workspace"), daily(found, "document_type")) == (
        {"wS1": 3, "wS2": 4},
        {"dT1": 5},
    )
    new = Scope("wS3", "New", {date(2026, 5, 17): 6})
    server.accounts = replace(
        server.accounts,
        organizations=(replace(ACME, workspaces=(INVOICES, CLAIMS, new), document_types=()),),
    )
    clock.seconds = 6 * 3600
    found = series(poll(fetch, server))
    assert daily(found, "workspace") == {"wS1": 3, "wS2": 4, "wS3": 6}
    assert daily(found, "document_type") == {}


def test_a_scope_that_is_gone_costs_only_itself_and_the_list_is_read_soon() -> None:
    server, clock = vendors(), Clock()
    settings = affinda_settings(workspaces="all", discovery={"interval": "24h"})
    fetch = create_poller(settings, clock)
    poll(fetch, server)
    server.accounts = replace(
        server.accounts, organizations=(replace(ACME, workspaces=(CLAIMS,)),), now=lambda: TODAY
    )
    found = poll(fetch, server)
    assert series(found)["affinda_credits_daily{oRg1}"] == 9
    assert daily(series(found), "workspace") == {"wS1": 3}
    gone = ScopeFailure(
        "workspace wS2",
        FailureReason.CLIENT_ERROR,
        "HTTP status 404: Not found.",
        "workspace",
        "wS2",
    )
    assert found.scope_failures == (gone,)
    clock.seconds = 3599.0
    assert poll(fetch, server).scope_failures == (gone,)
    assert server.calls[WORKSPACES, "oRg1"] == 1
    clock.seconds = 3600.0
    found = poll(fetch, server)
    assert (daily(series(found), "workspace"), found.scope_failures) == ({"wS1": 3}, ())


@pytest.mark.parametrize(
    ("response", "reason", "detail"),
    [
        (SimulatedResponse(503), FailureReason.SERVER_ERROR, "HTTP status 503"),
        (
            SimulatedResponse(body=b"{}"),
            FailureReason.MALFORMED,
            "the response is about another scope than",
        ),
        (SimulatedResponse(body=b""), FailureReason.MALFORMED, "the response is empty, not JSON"),
    ],
)
def test_a_scope_that_fails_for_any_reason_costs_only_itself(
    response: SimulatedResponse, reason: FailureReason, detail: str
) -> None:
    server = vendors()
    fetch = create_poller(affinda_settings(workspaces="all", document_types="all"), Clock())
    server.before = lambda request: response if request.query.get("workspace") == "wS1" else None
    found = poll(fetch, server)
    assert daily(series(found), "workspace") == {"wS2": 4}
    assert daily(series(found), "document_type") == {"dT1": 5}
    (failure,) = found.scope_failures
    assert (failure.scope, failure.reason) == ("workspace wS1", reason)
    assert failure.detail.startswith(detail)
    server.before = lambda _: None
    poll(fetch, server)
    assert server.calls[WORKSPACES, "oRg1"] == 1


def test_a_scope_may_take_half_of_the_polls_time() -> None:
    server = vendors()
    fetch = create_poller(affinda_settings(workspaces=("wS1",), poll={"timeout": "8s"}))
    times: list[float | None] = []

    async def send(request: Call) -> bytes:
        if "/v3/usage" in request.url:
            times.append(request.timeout)
        return await directly(server)(request)

    run(_fetched(fetch, send))
    assert times == [None, 4.0]


def test_a_list_that_fails_is_replaced_by_the_last_one_and_requested_sooner(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, clock = vendors(), Clock()
    settings = affinda_settings(workspaces="all", discovery={"interval": "24h"})
    fetch = create_poller(settings, clock)
    poll(fetch, server)
    server.before = lambda request: SimulatedResponse(500) if request.path == WORKSPACES else None
    clock.seconds = 86_400.0
    assert daily(series(poll(fetch, server)), "workspace") == {"wS1": 3, "wS2": 4}
    assert "a list cannot be read, the last one is used" in caplog.text
    assert caplog.records[0].__dict__["target"] == "acme"
    for clock.seconds in (86_401.0, 89_999.0):
        poll(fetch, server)
    assert server.calls[WORKSPACES, "oRg1"] == 2
    clock.seconds = 90_000.0
    poll(fetch, server)
    assert server.calls[WORKSPACES, "oRg1"] == 3


def test_a_first_list_that_cannot_be_read_costs_only_its_scopes() -> None:
    server = vendors()
    server.before = lambda request: SimulatedResponse(500) if request.path == WORKSPACES else None
    settings = affinda_settings(workspaces="all", document_types="all")
    found = poll(create_poller(settings), server)
    assert series(found)["affinda_credits_daily{oRg1}"] == 9
    assert daily(series(found), "document_type") == {"dT1": 5}
    assert found.scope_failures == (
        ScopeFailure(
            "list of workspaces", FailureReason.SERVER_ERROR, "HTTP status 500", "workspace", ""
        ),
    )


def test_entries_of_a_list_that_cannot_be_read_are_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = vendors()
    listed = b'[{"identifier": "legacy:1", "name": "Old"}, {"identifier": "wS1", "name": null}]'
    server.before = lambda request: (
        SimulatedResponse(body=listed) if request.path == WORKSPACES else None
    )
    found = series(poll(create_poller(affinda_settings(workspaces="all")), server))
    assert daily(found, "workspace") == {"wS1": 3}
    assert caplog.messages == [
        "1 entries of the list of workspaces cannot be read and are left out"
    ]


def test_figures_do_not_depend_on_names() -> None:
    server = vendors()
    server.before = lambda request: None if request.path == USAGE else SimulatedResponse(500)
    found = series(poll(create_poller(affinda_settings(workspaces=("wS1",))), server))
    assert daily(found, "workspace") == {"wS1": 3}
    assert not any("_info" in name for name in found)


def test_a_list_may_take_a_quarter_of_the_polls_time_where_there_is_an_earlier_one() -> None:
    server, clock = vendors(), Clock()
    settings = affinda_settings(workspaces="all", poll={"timeout": "8s"})
    fetch = create_poller(settings, clock)
    waited: list[tuple[str, float | None]] = []

    async def send(request: Call) -> bytes:
        if "/v3/usage" not in request.url:
            waited.append((urlsplit(request.url).path, request.timeout))
        return await directly(server)(request)

    for clock.seconds in (0.0, 6 * 3600):
        run(_fetched(fetch, send))
    assert waited == [
        ("/v3/organizations", 2.0),
        (WORKSPACES, None),  # the first one
        ("/v3/organizations", 2.0),
        (WORKSPACES, 2.0),
    ]


async def _fetched(fetch: Poller, send: Transport) -> PollResult:
    return await fetch(send, 0.0)


def test_only_names_that_fit_the_patterns_are_polled() -> None:
    for patterns, expected in (
        ({"include": ("claims",)}, {"wS1": 3}),
        ({"include": ("C*", "Inv?ices")}, {"wS1": 3, "wS2": 4}),
        ({"exclude": ("claims",)}, {"wS2": 4}),
        ({"include": ("*",), "exclude": ("*s",)}, {}),
    ):
        settings = affinda_settings(workspaces="all", discovery=patterns)
        found = series(poll(create_poller(settings), vendors()))
        assert daily(found, "workspace") == expected


def test_patterns_do_not_filter_what_the_configuration_lists() -> None:
    settings = affinda_settings(workspaces=("wS1",), discovery={"exclude": ("*",)})
    assert daily(series(poll(create_poller(settings), vendors())), "workspace") == {"wS1": 3}


def test_scopes_over_the_limit_are_left_out_with_one_warning_for_each_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = vendors()
    fetch = create_poller(affinda_settings(workspaces="all", discovery={"max_scopes": 1}), Clock())
    for _ in range(3):
        assert daily(series(poll(fetch, server)), "workspace") == {"wS1": 3}
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "more workspaces than discovery.max_scopes: only the first 1 of 2 are polled"
    ]
    assert warnings[0].__dict__["target"] == "acme"


def test_a_list_that_only_gives_names_has_no_limit(caplog: pytest.LogCaptureFixture) -> None:
    settings = affinda_settings(workspaces=("wS1",), discovery={"max_scopes": 1})
    poll(create_poller(settings), vendors())
    assert not caplog.records


PREPAID = {"credits": 100, "period": "prepaid", "starts": "2024-01-01"}


def test_an_older_start_is_requested_as_soon_as_the_vendors_day_is_known() -> None:
    server = vendors()
    fetch = create_poller(affinda_settings(allowance=PREPAID))
    for _ in range(2):
        found = series(poll(fetch, server))
        assert found["affinda_credits_used{oRg1}"] == 79
        assert found["affinda_credits_last_365_days{oRg1}"] == 9
    assert requests_to(server, USAGE) == [{}, {"start": "2024-01-01"}, {"start": "2024-01-01"}]


def test_an_allowance_within_the_usual_window_needs_no_start() -> None:
    for allowance in ({"credits": 1, "period": "year"}, PREPAID | {"starts": "2025-05-17"}):
        server = vendors()
        poll(create_poller(affinda_settings(allowance=allowance)), server)
        assert requests_to(server, USAGE) == [{}]


def test_a_start_that_the_vendor_ignores_is_an_anomaly_and_leaves_no_allowance() -> None:
    server = vendors()

    def ignore(request: Request) -> SimulatedResponse | None:
        if "start" not in request.query:
            return None
        return server.answer(replace(request, query={"organization": "oRg1"}))

    server.before = ignore
    fetch = create_poller(affinda_settings(allowance=PREPAID))
    for _ in range(2):
        poll_result = poll(fetch, server)
        assert poll_result.allowances == ()
        (note,) = poll_result.notes
        assert note == (
            "the allowance began on 2024-01-01, before the response's first day (2025-05-17): "
            "what is left is unknown"
        )
        assert poll_result.anomalies == (Anomaly.WINDOW_MISMATCH,)
        assert series(poll_result)["affinda_credits_daily{oRg1}"] == 9


@pytest.mark.parametrize(
    ("key", "admin", "reason", "detail"),
    [
        ("wrong-key-0", True, FailureReason.AUTH, "HTTP status 401: Invalid token."),
        (
            KEY,
            False,
            FailureReason.AUTH,
            "HTTP status 403: You do not have permission to perform this action.",
        ),
    ],
)
def test_an_error_has_the_vendors_message(
    key: str, reason: FailureReason, detail: str, *, admin: bool
) -> None:
    server = vendors(replace(ACME, admin=admin))
    with pytest.raises(PollError) as caught:
        poll(create_poller(affinda_settings(api_key=key)), server)
    assert caught.value.failure == (reason, detail, None)
    assert len(server.log) == 1


def test_a_response_about_another_organization_is_a_failure() -> None:
    server = vendors()
    other = replace(ACME, identifier="oRg2")
    server.accounts = Accounts((ACME, other), now=lambda: TODAY)
    server.before = lambda request: (
        server.answer(replace(request, query={"organization": "oRg2"}))
        if request.query.get("organization") == "oRg1"
        else None
    )
    with pytest.raises(
        PollError, match="malformed: the response is about another scope than the one requested"
    ):
        poll(create_poller(affinda_settings()), server)


@pytest.mark.parametrize("scopes", [(), ("a b",), "some", ("",), 3, ("x" * 65,)], ids=str)
def test_invalid_scopes_are_refused_with_one_message(scopes: object) -> None:
    with pytest.raises(ValueError, match="must be none, all, or a list of identifiers") as caught:
        affinda_settings(workspaces=scopes)
    assert str(caught.value).count("must be") == 1


def test_a_target_without_a_base_url_is_at_its_region() -> None:
    assert affinda_settings().address == "https://api.affinda.com"
    assert affinda_settings(region="api.us1").address == "https://api.us1.affinda.com"
