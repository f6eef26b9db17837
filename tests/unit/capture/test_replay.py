"""Replaying: the same requests get the same outcomes, in the same order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from captures import ACCOUNTS, NOW, recorded, replayed
from hypothesis import given
from hypothesis import strategies as st
from vendor_calls import affinda_settings, responses, run, xtracta_settings

from exporter.capture.errors import CaptureError
from exporter.capture.format import Call, Exchange, TargetCapture
from exporter.capture.replay import ReplayedTarget
from exporter.client.client import Request, Response
from exporter.demo.vendors import SimulatedResponse, Vendors
from exporter.model import FailureReason, PollError, PollFailure, PollResult

if TYPE_CHECKING:
    from collections.abc import Awaitable

TARGETS = [
    affinda_settings(workspaces="all", allowance={"credits": 9000, "period": "year"}),
    xtracta_settings(name="nz", groups="all"),
]


def test_a_replay_has_the_result_and_the_times_of_the_poll() -> None:
    probe = recorded(TARGETS, responses(Vendors(ACCOUNTS)))
    assert all(isinstance(outcome.result, PollResult) for outcome in probe.outcomes)
    assert replayed(probe.capture) == probe.outcomes
    assert probe.outcomes[0].requests == 6


def test_concurrent_requests_in_another_order_change_nothing() -> None:
    probe = recorded(TARGETS, responses(Vendors(ACCOUNTS)))
    backwards = tuple(
        target._replace(exchanges=target.exchanges[::-1]) for target in probe.capture.targets
    )
    assert replayed(probe.capture._replace(targets=backwards)) == probe.outcomes


def replay_of(*exchanges: Exchange) -> ReplayedTarget:
    settings = {"name": "acme", "vendor": "affinda", "organization": "oRg1"}
    return ReplayedTarget(TargetCapture(settings, None, NOW, NOW, 0.0, exchanges))


def test_equal_requests_get_their_outcomes_in_order() -> None:
    call = Call("GET", "https://api/a", "")
    failure = PollFailure(FailureReason.TIMEOUT, "too late", 3.0)
    first, last = Response(200, (), b"1"), Response(200, (), b"2")
    replay = replay_of(Exchange(call, first), Exchange(call, failure), Exchange(call, last))
    request = Request("GET", "https://api/a")
    assert run(awaited(replay.round_trip(request))) == first
    with pytest.raises(PollError) as caught:
        run(awaited(replay.round_trip(request)))
    assert caught.value.failure == failure
    assert replay.not_requested == 1
    assert run(awaited(replay.round_trip(request))) == last
    assert replay.not_requested == 0


async def awaited(response: Awaitable[Response]) -> Response:
    return await response


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "https://api/a?b=1"),
        Request("GET", "https://api/a?b=2"),
        Request("GET", "https://api/c?b=1"),
        Request("GET", "https://api/a?b=1", body=b"x=1"),
    ],
)
def test_a_request_that_was_not_captured_fails_and_says_so(request_: Request) -> None:
    replay = replay_of(Exchange(Call("GET", "https://api/a?b=1", ""), Response(200, (), b"")))
    with pytest.raises(PollError) as caught:
        run(awaited(replay.round_trip(request_)))
    assert caught.value.failure == (
        FailureReason.CONNECT,
        "the capture has no such request",
        None,
    )


@pytest.mark.parametrize("url", ["https://api/a?b=x%20y&c=%7E", "https://api/a?b=x+y&c=~"])
def test_requests_that_are_only_quoted_differently_are_equal(url: str) -> None:
    response = Response(200, (), b"1")
    replay = replay_of(Exchange(Call("GET", "https://api/a?b=x+y&c=%7e", ""), response))
    assert run(awaited(replay.round_trip(Request("GET", url)))) == response


def test_a_poll_that_its_timeout_ended_is_replayed_without_waiting() -> None:
    async def hang(request: Request) -> Response:
        if "workspace=w2" in request.url or "billings" in request.url:
            await asyncio.sleep(60)
        return await responses(Vendors(ACCOUNTS))(request)

    poll = {"interval": "1m", "timeout": "200ms"}
    targets = [
        affinda_settings(workspaces=("w1", "w2"), poll=poll),
        xtracta_settings(name="nz", poll=poll),
    ]
    probe = recorded(targets, hang)
    expected = PollFailure(FailureReason.TIMEOUT, "not complete within 0.2 seconds")
    assert [outcome.result for outcome in probe.outcomes] == [expected] * 2
    assert replayed(probe.capture) == probe.outcomes


@given(
    st.dictionaries(
        st.sampled_from(
            ["organizations", "workspaces", "usage?", "workspace=w2", "list", "billings"]
        ),
        st.builds(
            SimulatedResponse,
            st.sampled_from([200, 203, 204, 301, 401, 403, 404, 429, 500]),
            st.just({}),
            st.binary(max_size=40) | st.sampled_from([b"[]", b"{}", b"<a/>", b'{"errors": []}']),
        ),
        max_size=3,
    )
)
def test_whatever_vendors_send_a_replay_gives_the_same(
    faults: dict[str, SimulatedResponse],
) -> None:
    working = responses(Vendors(ACCOUNTS))

    async def send(request: Request) -> Response:
        for part, simulated in faults.items():
            if part in request.url:
                return Response(simulated.status, (("retry-after", "3"),), simulated.body)
        return await working(request)

    probe = recorded(TARGETS, send)
    assert replayed(probe.capture) == probe.outcomes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vendor": "folio"}, 'target acme: the vendor "folio" is unknown'),
        ({"organization": 1, "colour": 2}, "target acme: invalid settings: organization, colour"),
    ],
)
def test_a_target_of_another_version_or_of_a_missing_plug_in_is_refused(
    settings: dict[str, object], message: str
) -> None:
    known = {"name": "acme", "vendor": "affinda", "organization": "oRg1"}
    with pytest.raises(CaptureError) as caught:
        ReplayedTarget(TargetCapture(known | settings, None, NOW, NOW, 0.0, ()))
    assert str(caught.value) == message
