"""What past periods say of a plan, and when a poll requests them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import pytest
from vendor_calls import KEY, directly, poll, run, xtracta_settings

from exporter.demo.accounts import Accounts, Group, Plan
from exporter.demo.vendors import SimulatedResponse, Vendors
from exporter.vendors.xtracta.api import Figures
from exporter.vendors.xtracta.api import Plan as PlanNow
from exporter.vendors.xtracta.periods import PlanPeriod, PreviousPeriod, previous_period
from exporter.vendors.xtracta.poller import create_poller

if TYPE_CHECKING:
    from exporter.client.client import Request as Call
    from exporter.model import Allowance, PollResult

DAY = 86_400.0
START = 1_775_001_600.0  # 2026-04-01
PRESENT = PlanNow("plan", "481", "71", "", {}, None, "", START, START + 30 * DAY)


def past(
    days: float, gap: float = 0.0, kind: Literal["plan", "pack"] = "plan", identifier: str = "71"
) -> PlanPeriod:
    """A period of so many days that ended so many days before the present one began."""
    end = START - gap * DAY
    figures = {"documents": Figures(100, 90, 10), "pages": Figures(100, None, None)}
    plan = PRESENT._replace(kind=kind, identifier=identifier, resources=figures)
    return PlanPeriod(plan, end - days * DAY, end)


@pytest.mark.parametrize(
    ("days", "gap", "renewed"),
    [
        (31, 0.0, True),
        (28, -1.0, True),
        (31, 1.0, True),
        (24, 0.0, True),
        (23, 0.0, False),
        (14, 0.0, False),  # a trial
        (365, 0.0, False),
    ],
)
def test_a_plan_renews_if_its_period_follows_one_of_about_the_same_length(
    days: float, gap: float, *, renewed: bool
) -> None:
    found = previous_period(PRESENT, [past(30, 100), past(days, gap)])
    assert found == PreviousPeriod(START - (days + gap) * DAY, {"documents": 90}, renewed)


@pytest.mark.parametrize(
    "other",
    [
        past(30, 1.1),  # it lapsed between
        past(30, -30.0),  # the present period itself
        past(30, kind="pack"),
        past(30, identifier="72"),
    ],
)
def test_other_periods_say_nothing_of_a_plan(other: PlanPeriod) -> None:
    assert previous_period(PRESENT, [other]) is None


@pytest.mark.parametrize("plan", [PRESENT._replace(start=None), PRESENT._replace(kind="pack")])
def test_a_pack_and_a_plan_without_a_start_have_no_period_before(plan: PlanNow) -> None:
    assert previous_period(plan, [past(30), past(30, kind="pack")]) is None


def test_a_plan_without_an_end_is_not_known_to_renew() -> None:
    found = previous_period(PRESENT._replace(expiry=None), [past(30)])
    assert found is not None
    assert not found.renewed


NOW = datetime(2026, 5, 17, tzinfo=UTC)
FEBRUARY, MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4, 5))
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
EARLIER = Plan(71, "Monthly", 10, "NZD", 1000, 700, MARCH, APRIL)
LAST = Plan(71, "Monthly", 10, "NZD", 1000, 900, APRIL, MAY)
MONTHLY = Plan(71, "Monthly", 10, "NZD", 1000, 480, MAY, JUNE, (EARLIER, LAST))
OTHER = replace(MONTHLY, id=72, history=())
HEAD = Group(481, "Head", KEY, (MONTHLY,), (replace(MONTHLY, id=73, history=()),))
BOTH = replace(HEAD, subgroups=(Group(482, "Branch", plans=(OTHER,)),))
HISTORY = "/v1/billings/history"


class Clock:
    """A monotonic clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def server(group: Group = HEAD) -> Vendors:
    return Vendors(Accounts(groups=(group,), now=lambda: NOW))


def past_requests(vendors: Vendors) -> list[str]:
    """The groups whose past was requested."""
    return [request.form["group_id"] for request in vendors.log if request.path == HISTORY]


def renewals(result: PollResult) -> dict[str, bool]:
    return {left.allowance: left.renews for left in result.allowances}


def plan_71(result: PollResult) -> Allowance:
    return next(left for left in result.allowances if left.allowance == "71")


def test_the_past_of_each_group_shows_which_of_its_plans_renew() -> None:
    vendors = server(BOTH)
    result = poll(create_poller(xtracta_settings(groups="all")), vendors, NOW.timestamp())
    assert renewals(result) == {"71": True, "73": False, "72": False}
    left = plan_71(result)
    assert (left.previous_start, left.previous_used) == (APRIL.timestamp(), 900)
    # 16 days of 30 and 30 days of 30: the same pace
    assert left.burn_per_day == pytest.approx(30)
    assert past_requests(vendors) == ["481", "482"]
    assert result.notes == ()


def test_the_past_of_two_years_is_requested() -> None:
    vendors = server()
    poll(create_poller(xtracta_settings()), vendors, NOW.timestamp())
    form = vendors.log[-1].form
    assert (form["billing_from"], form["billing_to"]) == (
        f"{(NOW - timedelta(days=750)).timestamp():.0f}",
        f"{NOW.timestamp() - 1:.0f}",
    )


def test_the_past_is_requested_once_a_day() -> None:
    vendors, clock = server(), Clock()
    fetch = create_poller(xtracta_settings(), clock)
    for seconds, requests in ((0.0, 1), (DAY - 1, 1), (DAY, 2), (DAY + 60, 2)):
        clock.seconds = seconds
        assert renewals(poll(fetch, vendors, NOW.timestamp())) == {"71": True, "73": False}
        assert len(past_requests(vendors)) == requests


def test_a_new_period_of_a_plan_requests_the_past_at_once() -> None:
    vendors = server()
    fetch = create_poller(xtracta_settings(), Clock())
    poll(fetch, vendors, NOW.timestamp())
    june = replace(MONTHLY, used=0, start=JUNE, expiry=JUNE + timedelta(days=30))
    june = replace(june, history=(EARLIER, LAST, replace(MONTHLY, used=930, history=())))
    vendors.accounts = Accounts(groups=(replace(HEAD, plans=(june,)),), now=lambda: JUNE)
    left = plan_71(poll(fetch, vendors, JUNE.timestamp()))
    assert (left.renews, left.previous_start, left.previous_used) == (True, MAY.timestamp(), 930)
    assert left.burn_per_day == pytest.approx(30)
    assert len(past_requests(vendors)) == 2


def test_a_past_that_cannot_be_read_is_a_note_and_requested_again_after_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vendors, clock = server(), Clock()
    vendors.before = lambda request: SimulatedResponse(500) if request.path == HISTORY else None
    fetch = create_poller(xtracta_settings(), clock)
    for seconds, requests in ((0.0, 1), (3599.0, 1), (3600.0, 2)):
        clock.seconds = seconds
        result = poll(fetch, vendors, NOW.timestamp())
        assert renewals(result) == {"71": False, "73": False}
        assert result.notes == (
            "past periods of group 481 cannot be read: server_error: HTTP status 500",
        )
        assert result.scope_failures == ()
        assert len(past_requests(vendors)) == requests
    assert len(caplog.records) == 1
    vendors.before = lambda _: None
    clock.seconds = 7200.0
    result = poll(fetch, vendors, NOW.timestamp())
    assert (renewals(result), result.notes) == ({"71": True, "73": False}, ())


def test_a_past_that_outlasts_a_poll_is_not_requested_by_the_next_one() -> None:
    vendors, fetch = server(), create_poller(xtracta_settings(), Clock())
    is_waiting = asyncio.Event()

    async def send(request: Call) -> bytes:
        if HISTORY in request.url:
            assert request.timeout == 5.0  # a quarter of the poll's
            is_waiting.set()
            await asyncio.Event().wait()
        return await directly(vendors)(request)

    async def main() -> None:
        attempt = asyncio.create_task(fetch(send, NOW.timestamp()))
        await is_waiting.wait()
        attempt.cancel()  # by the poll's own timeout
        await asyncio.wait([attempt])

    run(main())
    assert renewals(poll(fetch, vendors, NOW.timestamp())) == {"71": False, "73": False}
    assert past_requests(vendors) == []


def test_the_past_of_a_group_without_an_id_is_a_note() -> None:
    vendors = server()
    vendors.before = lambda request: (
        SimulatedResponse(
            body=b"<billings_response><plan><id>7</id><start_date>2026-05-01</start_date>"
            b"<allowed_documents>1</allowed_documents><used_documents>1</used_documents>"
            b"<available_documents>0</available_documents></plan></billings_response>"
        )
        if request.path == "/v1/billings/usage"
        else None
    )
    result = poll(create_poller(xtracta_settings()), vendors, NOW.timestamp())
    (note,) = result.notes
    assert note == (
        "past periods of the key's own group cannot be read: malformed: the response has no id of "
        "the key's own group; set groups to that id"
    )
    assert past_requests(vendors) == []


def test_plans_without_a_start_need_no_past() -> None:
    vendors = server(replace(HEAD, plans=()))
    result = poll(create_poller(xtracta_settings()), vendors, NOW.timestamp())
    assert (renewals(result), past_requests(vendors)) == ({"73": False}, [])


def test_a_plan_renews_where_the_configuration_says_so_whatever_the_past_shows() -> None:
    fetch = create_poller(xtracta_settings(groups=(482,), renews=True))
    assert renewals(poll(fetch, server(BOTH), NOW.timestamp())) == {"72": True}
