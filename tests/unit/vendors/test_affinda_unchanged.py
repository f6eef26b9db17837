"""Unchanged responses: they are not parsed again, and no change is missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from vendor_calls import KEY, affinda_settings, poll, series

from exporter.demo.accounts import Accounts, Organization, Scope
from exporter.demo.vendors import SimulatedResponse, Vendors
from exporter.model import PollError
from exporter.vendors.affinda.poller import create_poller

DAY = date(2026, 5, 17)
FIRST, SECOND = Scope("wS1", "First", {DAY: 3}), Scope("wS2", "Second", {DAY: 4})
ACME = Organization("oRg1", "Acme", KEY, {DAY: 9}, (FIRST, SECOND))
SETTINGS = affinda_settings(workspaces="all", discovery={"interval": "1h"})


def accounts(organization: Organization = ACME, day: int = 17) -> Accounts:
    return Accounts((organization,), now=lambda: datetime(2026, 5, day, 13, tzinfo=UTC))


def test_unchanged_responses_give_the_same_object() -> None:
    server, fetch = Vendors(accounts()), create_poller(SETTINGS)
    assert poll(fetch, server) is poll(fetch, server)


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        (accounts(replace(ACME, usage={DAY: 10})), "affinda_credits_daily{oRg1}", 10),
        (
            accounts(replace(ACME, workspaces=(FIRST, replace(SECOND, usage={DAY: 5})))),
            "affinda_workspace_credits_daily{oRg1,wS2}",
            5,
        ),
        (accounts(day=18), "affinda_credits_previous_day{oRg1}", 9),
    ],
)
def test_a_change_of_one_response_changes_only_its_series(
    changed: Accounts, name: str, value: int
) -> None:
    server, fetch = Vendors(accounts()), create_poller(SETTINGS)
    before = series(poll(fetch, server))
    server.accounts = changed
    after = series(poll(fetch, server))
    assert after[name] == value != before[name]
    assert after.keys() == before.keys()
    assert series(poll(create_poller(SETTINGS), server)) == after


def test_a_new_name_of_a_scope_is_a_change() -> None:
    server, hours = Vendors(accounts()), iter((0.0, 0.0, 7200.0, 7200.0))
    fetch = create_poller(SETTINGS, lambda: next(hours))
    poll(fetch, server)
    server.accounts = accounts(replace(ACME, workspaces=(replace(FIRST, name="Renamed"), SECOND)))
    assert "affinda_workspace_info{oRg1,wS1,Renamed}" in series(poll(fetch, server))


def test_a_scope_that_fails_is_a_change_and_its_return_too() -> None:
    server, fetch = Vendors(accounts()), create_poller(SETTINGS)
    before = poll(fetch, server)
    server.before = lambda request: (
        SimulatedResponse(500) if request.query.get("workspace") == "wS1" else None
    )
    failed = poll(fetch, server)
    assert len(failed.scope_failures) == 1
    assert poll(fetch, server) is failed
    server.before = lambda _: None
    assert poll(fetch, server) == before


def test_a_failed_poll_changes_nothing() -> None:
    server, fetch = Vendors(accounts()), create_poller(SETTINGS)
    before = poll(fetch, server)
    server.before = lambda _: SimulatedResponse(500)
    with pytest.raises(PollError):
        poll(fetch, server)
    server.before = lambda _: None
    assert poll(fetch, server) is before
