"""Polls of the simulated Xtracta: which requests are made, and which groups are found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from vendor_calls import KEY, directly, poll, run, series, xtracta_settings

from exporter.demo.accounts import Accounts, Group, Plan
from exporter.demo.vendors import SimulatedResponse, Vendors
from exporter.model import FailureReason, PollError, ScopeFailure
from exporter.vendors.xtracta.poller import create_poller

if TYPE_CHECKING:
    from exporter.client.client import Request as Call
    from exporter.model import PollResult
    from exporter.vendors.base import Transport

NOW = datetime(2026, 5, 17, tzinfo=UTC)
PLAN = Plan(
    71,
    "Yearly",
    4900,
    "NZD",
    1000,
    300,
    datetime(2026, 4, 17, tzinfo=UTC),
    datetime(2027, 4, 17, tzinfo=UTC),
)
PACK = replace(PLAN, id=71, name="Booster", allowed=200, used=20)
BRANCH = Group(482, "Branch", plans=(replace(PLAN, id=72, currency="AUD"),))
OFFICE = Group(483, "Office", plans=(replace(PLAN, id=73),))
HEAD = Group(481, "Head", KEY, (PLAN,), (PACK,), (BRANCH, OFFICE))
LIST, USAGE = "/v1/group/list", "/v1/billings/usage"


class Clock:
    """A monotonic clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def vendors(*groups: Group) -> Vendors:
    return Vendors(Accounts(groups=groups or (HEAD,), now=lambda: NOW))


def requests_to(server: Vendors, path: str) -> list[str]:
    """The groups asked for at a path; empty for the key's own."""
    return [request.form.get("group_id", "") for request in server.log if request.path == path]


def plans(poll_result: PollResult) -> list[str]:
    """`group,plan` of every plan."""
    prefix = "xtracta_documents_allowed{"
    found = series(poll_result)
    return [name[len(prefix) : -1] for name in found if name.startswith(prefix)]


def test_the_keys_own_group_is_one_request_and_its_name_another() -> None:
    server = vendors()
    poll_result = poll(create_poller(xtracta_settings()), server, NOW.timestamp())
    assert (requests_to(server, USAGE), requests_to(server, LIST)) == ([""], [""])
    found = series(poll_result)
    assert found["xtracta_documents_used{481,71}"] == 300
    assert found["xtracta_pack_documents_used{481,71}"] == 20
    assert found["xtracta_group_info{481,Head,0}"] == 1
    assert [
        (left.account, left.allowance, left.burn_per_day) for left in poll_result.allowances
    ] == [
        ("481", "71", 10.0),
        ("481", "pack-71", 20 / 30),
    ]


def test_each_group_of_the_configuration_is_a_request() -> None:
    server = vendors()
    poll_result = poll(create_poller(xtracta_settings(groups=(483, 482))), server)
    assert requests_to(server, USAGE) == ["483", "482"]
    assert plans(poll_result) == ["483,73", "482,72"]
    assert series(poll_result)["xtracta_plan_price{482,72,AUD}"] == 4900


def test_all_groups_are_found_by_walking_the_tree() -> None:
    server = vendors()
    poll_result = poll(create_poller(xtracta_settings(groups="all")), server)
    assert (requests_to(server, LIST), requests_to(server, USAGE)) == ([""], ["481", "482", "483"])
    assert plans(poll_result) == ["481,71", "482,72", "483,73"]
    assert series(poll_result)["xtracta_group_info{482,Branch,481}"] == 1


def test_new_groups_appear_and_removed_ones_disappear() -> None:
    server, clock = vendors(), Clock()
    fetch = create_poller(xtracta_settings(groups="all"), clock)
    poll(fetch, server)
    new = Group(484, "New", plans=(replace(PLAN, id=74),))
    server.accounts = replace(
        server.accounts, groups=(replace(HEAD, subgroups=(BRANCH, OFFICE, new)),)
    )
    assert plans(poll(fetch, server)) == ["481,71", "482,72", "483,73"]
    clock.seconds = 6 * 3600.0
    assert plans(poll(fetch, server)) == ["481,71", "482,72", "483,73", "484,74"]
    server.accounts = replace(server.accounts, groups=(replace(HEAD, subgroups=(OFFICE,)),))
    found = poll(fetch, server)
    assert plans(found) == ["481,71", "483,73"]
    assert [failure[:3] for failure in found.scope_failures] == [
        (
            f"group {group}",
            FailureReason.AUTH,
            "status 403 in the response: The group does not exist or is not accessible",
        )
        for group in (482, 484)
    ]
    clock.seconds += 900.0
    found = poll(fetch, server)
    assert (plans(found), found.scope_failures) == (["481,71", "483,73"], ())


def test_a_group_that_fails_costs_only_itself() -> None:
    server = vendors()
    server.before = lambda request: (
        SimulatedResponse(500) if request.form.get("group_id") == "482" else None
    )
    found = poll(create_poller(xtracta_settings(groups=(481, 482))), server)
    assert plans(found) == ["481,71"]
    assert found.scope_failures == (
        ScopeFailure("group 482", FailureReason.SERVER_ERROR, "HTTP status 500", "group_id", "482"),
    )


def test_a_target_of_which_every_group_fails_is_down_for_the_first_reason() -> None:
    server = vendors()
    server.before = lambda request: SimulatedResponse(500) if "group_id" in request.form else None
    with pytest.raises(PollError) as caught:
        poll(create_poller(xtracta_settings(groups=(482, 483))), server)
    assert caught.value.failure == (
        FailureReason.SERVER_ERROR,
        "group 482: HTTP status 500",
        None,
    )


EMPTY = Group(484, "Empty")


def test_a_group_without_a_plan_is_no_failure_among_all_groups() -> None:
    server = vendors(replace(HEAD, subgroups=(BRANCH, EMPTY)))
    found = poll(create_poller(xtracta_settings(groups="all")), server)
    assert (plans(found), found.scope_failures) == (["481,71", "482,72"], ())


def test_a_group_without_a_plan_is_a_failure_where_the_configuration_lists_it() -> None:
    server = vendors(replace(HEAD, subgroups=(EMPTY,)))
    found = poll(create_poller(xtracta_settings(groups=(481, 484))), server)
    assert plans(found) == ["481,71"]
    assert [failure[:3] for failure in found.scope_failures] == [
        ("group 484", FailureReason.MALFORMED, "the response has no plan and no pack")
    ]


@pytest.mark.parametrize("groups", ["own", "all"])
def test_a_target_without_any_plan_is_down(groups: str) -> None:
    server = vendors(replace(HEAD, plans=(), packs=(), subgroups=()))
    with pytest.raises(PollError, match="the response has no plan and no pack"):
        poll(create_poller(xtracta_settings(groups=groups)), server)


def test_of_several_groups_each_may_take_half_of_the_polls_time() -> None:
    for groups, expected in (((481,), [None]), ((481, 482), [10.0, 10.0])):
        server, times = vendors(), list[float | None]()

        async def send(
            request: Call, server: Vendors = server, times: list[float | None] = times
        ) -> bytes:
            if USAGE in request.url:
                times.append(request.timeout)
            return await directly(server)(request)

        async def main(groups: object = groups, send: Transport = send) -> None:
            await create_poller(xtracta_settings(groups=groups))(send, 0.0)

        run(main())
        assert times == expected


def test_a_tree_that_fails_is_replaced_by_the_last_one() -> None:
    server, clock = vendors(), Clock()
    fetch = create_poller(xtracta_settings(groups="all"), clock)
    poll(fetch, server)
    server.before = lambda request: SimulatedResponse(500) if request.path == LIST else None
    clock.seconds = 6 * 3600.0
    assert plans(poll(fetch, server)) == ["481,71", "482,72", "483,73"]


def test_without_a_first_tree_there_is_nothing_to_poll() -> None:
    server = vendors()
    server.before = lambda request: SimulatedResponse(500) if request.path == LIST else None
    with pytest.raises(PollError) as caught:
        poll(create_poller(xtracta_settings(groups="all")), server)
    assert caught.value.reason == FailureReason.SERVER_ERROR


def test_figures_do_not_depend_on_names() -> None:
    server = vendors()
    server.before = lambda request: SimulatedResponse(500) if request.path == LIST else None
    for groups in ("own", (481,)):
        poll_result = poll(create_poller(xtracta_settings(groups=groups)), server)
        assert plans(poll_result) == ["481,71"]
        assert not any("group_info" in name for name in series(poll_result))


def test_patterns_and_the_limit_apply_to_groups(caplog: pytest.LogCaptureFixture) -> None:
    for discovery, expected in (
        ({"include": ("B*", "o?fice")}, ["482,72", "483,73"]),
        ({"exclude": ("head",)}, ["482,72", "483,73"]),
        ({"max_scopes": 2}, ["481,71", "482,72"]),
    ):
        settings = xtracta_settings(groups="all", discovery=discovery)
        assert plans(poll(create_poller(settings), vendors(), NOW.timestamp())) == expected
    assert [record.getMessage() for record in caplog.records] == [
        "more groups than discovery.max_scopes: only the first 2 of 3 are polled"
    ]


def test_a_refused_key_is_a_failure_and_costs_one_request() -> None:
    server = vendors()
    with pytest.raises(PollError) as caught:
        poll(create_poller(xtracta_settings(api_key="wrong-key-0")), server)
    assert caught.value.failure == (
        FailureReason.AUTH,
        "the key's own group: status 401 in the response: The API key is missing or invalid",
        None,
    )
    assert len(server.log) == 1


@pytest.mark.parametrize("groups", [(), (0,), (-1,), ("456",), "some", 456, (2**53 + 1,)], ids=str)
def test_invalid_groups_are_refused_with_one_message(groups: object) -> None:
    with pytest.raises(ValueError, match="must be own, all, or a list of group ids"):
        xtracta_settings(groups=groups)
