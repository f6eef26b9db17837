"""The vendors' history, of simulated vendors, against literal figures."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from vendor_calls import KEY, affinda_settings, directly, poll, series, xtracta_settings

from exporter.demo.accounts import Accounts, Group, Organization, Plan, Scope
from exporter.demo.vendors import Request, SimulatedResponse, Vendors
from exporter.model import Allowance, HistoricalResult, PollError, PollResult
from exporter.secrets import Secret
from exporter.vendors import VENDORS
from exporter.vendors.base import HistoryQuery
from exporter.vendors.xtracta import api
from exporter.vendors.xtracta.periods import parse_history

if TYPE_CHECKING:
    from exporter.config.models import Target

MARCH = date(2026, 3, 1)
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
DAILY = {date(2026, 3, 8): 30, date(2026, 3, 9): 40, date(2026, 3, 10): 5, date(2026, 3, 11): 9}
ORGANIZATION = Organization(
    "oRg1",
    "Acme",
    KEY,
    DAILY | {date(2025, 3, 9): 1000, date(2025, 3, 10): 100, date(2026, 2, 20): 7},
    (Scope("wS1", "Claims", DAILY), Scope("wS2", "Orders", {date(2026, 3, 9): 2})),
    (Scope("dT1", "Invoice", {date(2026, 3, 10): 5}),),
)
ACCOUNTS = Accounts((ORGANIZATION,), now=lambda: NOON)


def at(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]  # a date and perhaps a time


def history_of(
    settings: Target, vendors: Vendors, first: date, last: date
) -> list[list[HistoricalResult]]:
    """The history of a target, one item for each response."""

    async def main() -> list[list[HistoricalResult]]:
        history = VENDORS[settings.vendor].history
        assert history
        query = HistoryQuery(first, last)
        parts = history.read(settings, directly(vendors), query)
        return [list(history.to_results(settings, part, query)) async for part in parts]

    return asyncio.run(main())


def days_of(historical_results: list[HistoricalResult], name: str) -> dict[str, float]:
    """The values of one series, by day; every time span is a whole day."""
    found = {}
    for begin, end, poll_result in historical_results:
        assert end - begin == 86_400
        day = datetime.fromtimestamp(begin, UTC)
        assert day == day.replace(hour=0, minute=0, second=0)
        if name in series(poll_result):
            found[f"{day:%m-%d}"] = series(poll_result)[name]
    return found


# Affinda


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("affinda_credits_daily{oRg1}", {"03-08": 30, "03-09": 40, "03-10": 5}),
        ("affinda_credits_previous_day{oRg1}", {"03-08": 0, "03-09": 30, "03-10": 40}),
        ("affinda_credits_last_7_days{oRg1}", {"03-08": 30, "03-09": 70, "03-10": 75}),
        ("affinda_credits_last_30_days{oRg1}", {"03-08": 37, "03-09": 77, "03-10": 82}),
        ("affinda_credits_month_to_date{oRg1}", {"03-08": 30, "03-09": 70, "03-10": 75}),
        ("affinda_credits_year_to_date{oRg1}", {"03-08": 37, "03-09": 77, "03-10": 82}),
        ("affinda_credits_last_365_days{oRg1}", {"03-08": 1137, "03-09": 177, "03-10": 82}),
        ("affinda_organization_info{oRg1,Acme}", {"03-08": 1, "03-09": 1, "03-10": 1}),
        (
            "affinda_usage_day_timestamp_seconds{oRg1}",
            {"03-08": at(2026, 3, 8), "03-09": at(2026, 3, 9), "03-10": at(2026, 3, 10)},
        ),
    ],
)
def test_each_day_has_the_values_at_its_end(name: str, expected: dict[str, float]) -> None:
    [whole] = history_of(affinda_settings(), Vendors(ACCOUNTS), date(2026, 3, 8), date(2026, 3, 20))
    assert days_of(whole, name) == expected


def test_the_history_of_a_day_equals_the_last_poll_of_that_day() -> None:
    settings = affinda_settings(
        workspaces="all",
        document_types="all",
        allowance={"credits": 500, "period": "month", "price_per_credit": 0.1, "currency": "EUR"},
    )
    polled = poll(VENDORS["affinda"].create_poller(settings), Vendors(ACCOUNTS))
    later = Vendors(replace(ACCOUNTS, now=lambda: NOON + timedelta(days=1)))
    parts = history_of(settings, later, NOON.date(), NOON.date())
    assert [len(historical_results) for historical_results in parts] == [1, 1, 1, 1]
    results = [poll_result for [(_, _, poll_result)] in parts]
    assert sorted(map(str, polled.samples)) == sorted(
        str(sample) for poll_result in results for sample in poll_result.samples
    )
    assert [poll_result.allowances for poll_result in results] == [polled.allowances, (), (), ()]


def test_the_vendors_current_day_has_no_history() -> None:
    vendors = Vendors(ACCOUNTS)
    assert history_of(affinda_settings(), vendors, NOON.date(), date(2026, 4, 1)) == [[]]


def test_a_day_that_has_not_begun_costs_no_request_of_its_own() -> None:
    vendors = Vendors(ACCOUNTS)
    tomorrow = NOON.date() + timedelta(days=1)
    assert history_of(affinda_settings(), vendors, tomorrow, tomorrow) == []
    assert vendors.calls["/v3/usage", "oRg1"] == 1


def test_each_scope_costs_one_request() -> None:
    vendors = Vendors(ACCOUNTS)
    settings = affinda_settings(workspaces="all", document_types=("dT1",))
    parts = history_of(settings, vendors, date(2026, 3, 9), date(2026, 3, 9))
    assert [sorted(series(historical_result.poll_result)) for [historical_result] in parts[1:]] == [
        [
            *(f"affinda_workspace_credits_{window}{{oRg1,{scope}}}" for window in WINDOWS),
            f"affinda_workspace_info{{oRg1,{scope},{name}}}",
        ]
        for scope, name in (("wS1", "Claims"), ("wS2", "Orders"))
    ] + [
        [
            *(f"affinda_document_type_credits_{window}{{oRg1,dT1}}" for window in WINDOWS),
            "affinda_document_type_info{oRg1,dT1,Invoice}",
        ]
    ]
    # The current day, the organization, two workspaces, and a document type.
    assert vendors.calls["/v3/usage", "oRg1"] == 5


WINDOWS = ("daily", "last_30_days", "last_7_days", "month_to_date", "previous_day")


def test_a_workspace_has_its_own_history() -> None:
    settings = affinda_settings(workspaces=("wS2",))
    _, part = history_of(settings, Vendors(ACCOUNTS), date(2026, 3, 8), date(2026, 3, 10))
    name = "affinda_workspace_credits_daily{oRg1,wS2}"
    assert days_of(part, name) == {"03-08": 0, "03-09": 2, "03-10": 0}


def test_what_is_available_on_a_day_follows_from_the_usage_of_its_period() -> None:
    settings = affinda_settings(allowance={"credits": 60, "period": "month"})
    [whole] = history_of(settings, Vendors(ACCOUNTS), date(2026, 2, 28), date(2026, 3, 10))
    available = days_of(whole, "affinda_credits_available{oRg1}")
    assert list(available.values()) == [53, 60, 60, 60, 60, 60, 60, 60, 30, 0, 0]
    ends = {poll_result.allowances[0].end for _, _, poll_result in whole}
    assert ends == {at(2026, 3, 1), at(2026, 4, 1)}
    assert whole[-1].poll_result.allowances[0].exhaustion == at(2026, 3, 9)


def test_a_prepaid_allowance_is_counted_from_its_start_however_long_ago() -> None:
    purchased = {"credits": 2000, "period": "prepaid", "starts": "2025-03-01"}
    [whole] = history_of(
        affinda_settings(allowance=purchased),
        Vendors(ACCOUNTS),
        date(2026, 3, 10),
        date(2026, 3, 10),
    )
    assert days_of(whole, "affinda_credits_used{oRg1}") == {"03-10": 1182}


def test_a_prepaid_allowance_has_no_history_before_its_start() -> None:
    purchased = {"credits": 2000, "period": "prepaid", "starts": "2026-03-09"}
    [whole] = history_of(
        affinda_settings(allowance=purchased),
        Vendors(ACCOUNTS),
        date(2026, 3, 8),
        date(2026, 3, 10),
    )
    assert days_of(whole, "affinda_credits_used{oRg1}") == {"03-09": 40, "03-10": 45}


def test_days_that_a_response_does_not_cover_are_absent() -> None:
    def shorter(request: Request) -> SimulatedResponse | None:
        if "start" not in request.query:
            return None
        items = '[{"date":"2026-03-09","count":40}]'
        return SimulatedResponse(
            body=b'{"scope":"organization","scopeIdentifier":"oRg1","start":"2026-03-09",'
            b'"end":"2026-03-09","total":40,"items":' + items.encode() + b"}"
        )

    [whole] = history_of(
        affinda_settings(), Vendors(ACCOUNTS, shorter), date(2026, 3, 8), date(2026, 3, 10)
    )
    assert days_of(whole, "affinda_credits_daily{oRg1}") == {"03-09": 40}
    assert days_of(whole, "affinda_credits_previous_day{oRg1}") == {}


# Xtracta


def plan(number: int, start: datetime, days: int, **more: object) -> Plan:
    known = {"name": "Yearly", "price": 120, "currency": "NZD", "allowed": 1000, "used": 900}
    whole = known | {"id": number, "start": start, "expiry": start + timedelta(days=days)} | more
    return Plan(**whole)  # type: ignore[arg-type]  # as the cases want it


JANUARY = datetime(2026, 1, 1, 6, tzinfo=UTC)
RENEWED = JANUARY + timedelta(days=31)
CURRENT = plan(71, RENEWED, 365, used=50, history=(plan(71, JANUARY, 31, allowed=800, price=100),))
PACK = plan(71, JANUARY, 10, name="Booster", allowed=200, used=150)
GROUPS = Accounts((), (Group(481, "Head", KEY, (CURRENT,), (PACK,)),), lambda: NOON)


def formatted(historical_results: list[HistoricalResult]) -> list[tuple[str, str, PollResult]]:
    """The time spans with formatted times, without empty spans."""

    def format_time(time: float) -> str:
        return f"{datetime.fromtimestamp(time, UTC):%m-%d %H}"

    return [
        (format_time(begin), format_time(end), each)
        for begin, end, each in historical_results
        if begin < end
    ]


def periods(vendors: Vendors, last: date = date(2026, 3, 10)) -> list[tuple[str, str, PollResult]]:
    [historical_results] = history_of(xtracta_settings(), vendors, date(2026, 1, 1), last)
    return formatted(historical_results)


FIXED_OF_A_PLAN = {
    "xtracta_documents_allowed{481,71}": 800,
    "xtracta_plan_price{481,71,NZD}": 100,
    "xtracta_plan_start_timestamp_seconds{481,71}": at(2026, 1, 1, 6),
    "xtracta_plan_expiry_timestamp_seconds{481,71}": at(2026, 2, 1, 6),
    "xtracta_plan_info{481,71,Yearly}": 1,
}


def test_a_period_has_its_usage_only_in_the_last_24_hours() -> None:
    (*whole, names), *found = periods(Vendors(GROUPS))
    assert whole == ["01-01 00", "03-11 00"]
    assert series(names) == {"xtracta_group_info{481,Head,0}": 1}
    spans = {(begin, end): sorted(series(poll_result)) for begin, end, poll_result in found}
    used = ["xtracta_documents_available{481,71}", "xtracta_documents_used{481,71}"]
    pack = ["xtracta_pack_documents_allowed{481,71}", "xtracta_pack_price{481,71,NZD}"]
    assert spans == {
        ("01-01 06", "01-31 06"): sorted(FIXED_OF_A_PLAN),
        ("01-31 06", "02-01 06"): sorted([*FIXED_OF_A_PLAN, *used]),
        ("02-01 06", "03-11 00"): sorted(FIXED_OF_A_PLAN),
        ("01-01 06", "01-10 06"): pack,
        ("01-10 06", "01-11 06"): sorted(
            [*pack, *(name.replace("_doc", "_pack_doc") for name in used)]
        ),
    }


def test_fixed_values_are_those_of_the_period() -> None:
    [before] = [each for begin, end, each in periods(Vendors(GROUPS)) if end == "01-31 06"]
    assert series(before) == FIXED_OF_A_PLAN
    assert before.allowances == ()


def test_a_past_period_has_its_final_usage() -> None:
    over = next(each for begin, _, each in periods(Vendors(GROUPS)) if begin == "01-31 06")
    used = {"xtracta_documents_used{481,71}": 900, "xtracta_documents_available{481,71}": 0}
    assert series(over) == FIXED_OF_A_PLAN | used
    assert over.allowances[0].burn_per_day == pytest.approx(900 / 31)
    assert over.allowances == (
        Allowance(
            account="481",
            allowance="71",
            unit="documents",
            account_name="Head",
            allowance_name="Yearly",
            allowed=800,
            used=900,
            available=0,
            burn_per_day=over.allowances[0].burn_per_day,
            projected_used=900,
            start=at(2026, 1, 1, 6),
            end=at(2026, 2, 1, 6),
            cumulative_only=True,
        ),
    )


def test_a_pack_with_the_id_of_a_plan_has_the_same_identifier_as_in_a_poll() -> None:
    poller = VENDORS["xtracta"].create_poller(xtracta_settings())
    polled = poll(poller, Vendors(GROUPS), NOON.timestamp())
    [pack] = [
        each.allowances[0].allowance
        for begin, _, each in periods(Vendors(GROUPS))
        if begin == "01-10 06"
    ]
    assert pack == "pack-71"
    assert pack in {allowance.allowance for allowance in polled.allowances}


def test_a_pack_without_a_plan_is_identified_by_its_id() -> None:
    alone = Vendors(replace(GROUPS, groups=(Group(481, "Head", KEY, packs=(PACK,)),)))
    *_, (begin, _, last) = periods(alone)
    assert begin == "01-10 06"
    assert series(last) == {
        "xtracta_pack_documents_allowed{481,71}": 200,
        "xtracta_pack_documents_used{481,71}": 150,
        "xtracta_pack_documents_available{481,71}": 50,
        "xtracta_pack_price{481,71,NZD}": 120,
    }
    assert last.allowances[0].allowance == "71"


def test_a_period_ends_where_the_next_one_of_its_plan_begins() -> None:
    early = plan(71, JANUARY, 60, allowed=800)
    accounts = replace(
        GROUPS, groups=(Group(481, "Head", KEY, (replace(CURRENT, history=(early,)),)),)
    )
    assert [(begin, end) for begin, end, _ in periods(Vendors(accounts))[1:]] == [
        ("01-01 06", "01-31 06"),
        ("01-31 06", "02-01 06"),
        ("02-01 06", "03-11 00"),
    ]


def test_a_period_shorter_than_a_day_has_its_usage_throughout() -> None:
    short = replace(plan(71, JANUARY, 1), expiry=JANUARY + timedelta(hours=3))
    accounts = replace(GROUPS, groups=(Group(481, "Head", KEY, (short,)),))
    [(begin, end, poll_result)] = periods(Vendors(accounts))[1:]
    assert (begin, end) == ("01-01 06", "01-01 09")
    assert "xtracta_documents_used{481,71}" in series(poll_result)


def test_a_period_is_limited_to_the_requested_days() -> None:
    [historical_results] = history_of(
        xtracta_settings(), Vendors(GROUPS), date(2026, 1, 31), date(2026, 1, 31)
    )
    assert [(begin, end) for begin, end, _ in formatted(historical_results)] == [
        ("01-31 00", "02-01 00"),
        ("01-31 00", "02-01 00"),
    ]


def test_every_group_is_requested() -> None:
    below = Group(482, "Branch", plans=(plan(72, JANUARY, 365),))
    vendors = Vendors(replace(GROUPS, groups=(Group(481, "Head", KEY, (CURRENT,), (), (below,)),)))
    first, second = history_of(
        xtracta_settings(groups="all"), vendors, date(2026, 3, 9), date(2026, 3, 9)
    )
    assert "xtracta_group_info{482,Branch,481}" in series(second[0].poll_result)
    assert "xtracta_documents_allowed{482,72}" in series(second[1].poll_result)
    assert not any("482" in name for _, _, poll_result in first for name in series(poll_result))
    form = vendors.log[-1].form
    assert (form["billing_from"], form["billing_to"]) == ("1773014400", "1773100799")


def test_a_group_without_an_id_is_a_failure() -> None:
    def nameless(request: Request) -> SimulatedResponse | None:
        if request.path != "/v1/billings/usage":
            return None
        return SimulatedResponse(
            body=b"<billings_response><plan><id>7</id><allowed_documents>1</allowed_documents>"
            b"<used_documents>1</used_documents><available_documents>0</available_documents>"
            b"</plan></billings_response>"
        )

    with pytest.raises(PollError, match="set groups to that id"):
        history_of(xtracta_settings(), Vendors(GROUPS, nameless), MARCH, MARCH)


ACTIVITY = (
    "<id>71</id><plan>Yearly</plan><plan_type>plan</plan_type><price>5.5</price>"
    "<price_currency>NZD</price_currency><allowed_documents>10</allowed_documents>"
    "<used_documents>4</used_documents><start_date>2026-01-01T00:00:00+00:00</start_date>"
    "<expiry_date>2026-02-01T00:00:00+00:00</expiry_date><group_id>481</group_id>"
)


def response(activity: str) -> bytes:
    return (
        f"<billings_response><status>200</status><plans><activity>{activity}</activity></plans>"
        "</billings_response>"
    ).encode()


def test_a_period_has_the_values_of_its_plan() -> None:
    [period] = parse_history(response(ACTIVITY), Secret(KEY), "481")
    assert (period.begin, period.end) == (at(2026, 1, 1), at(2026, 2, 1))
    assert period.plan == api.Plan(
        kind="plan",
        group="481",
        identifier="71",
        name="Yearly",
        resources={"documents": api.Figures(10, 4, 6)},
        price=Decimal("5.5"),
        currency="NZD",
        start=at(2026, 1, 1),
        expiry=at(2026, 2, 1),
    )


@pytest.mark.parametrize("missing", ["start_date", "expiry_date"])
def test_a_period_without_a_start_or_an_end_is_skipped(missing: str) -> None:
    activity = ACTIVITY.replace(f"<{missing}>", "<x>").replace(f"</{missing}>", "</x>")
    assert parse_history(response(activity), Secret(KEY), "481") == []


def test_a_period_of_another_group_is_a_failure() -> None:
    with pytest.raises(PollError, match="malformed: the response is about another group"):
        parse_history(
            response(ACTIVITY.replace("<group_id>481", "<group_id>482")), Secret(KEY), "481"
        )


@pytest.mark.parametrize(("old", "new"), [("<id>71", "<id>x"), ("2026-01-01T", "last year")])
def test_a_period_whose_id_or_dates_cannot_be_read_is_left_out(old: str, new: str) -> None:
    assert parse_history(response(ACTIVITY.replace(old, new)), Secret(KEY), "481") == []


def test_a_figure_that_cannot_be_read_costs_no_other_of_the_period() -> None:
    activity = ACTIVITY.replace("<used_documents>4", "<used_documents>-4")
    activity = activity.replace("NZD", "kiwis").replace("<price>5.5", "<price>much")
    [period] = parse_history(response(activity), Secret(KEY), "481")
    assert period.plan.resources == {"documents": api.Figures(10, None, None)}
    assert (period.plan.price, period.plan.currency) == (None, "")


def test_a_group_that_fails_now_is_requested_all_the_same() -> None:
    def broken(request: Request) -> SimulatedResponse | None:
        is_usage = request.path == "/v1/billings/usage" and request.form["group_id"] == "482"
        return SimulatedResponse(500) if is_usage else None

    below = Group(482, "Branch", plans=(plan(72, JANUARY, 365),))
    vendors = Vendors(
        replace(GROUPS, groups=(Group(481, "Head", KEY, (CURRENT,), (), (below,)),)), broken
    )
    first, second = history_of(xtracta_settings(groups=(481, 482)), vendors, MARCH, MARCH)
    assert "xtracta_documents_allowed{481,71}" in series(first[1].poll_result)
    assert "xtracta_documents_allowed{482,72}" in series(second[1].poll_result)


def test_a_list_of_scopes_that_cannot_be_read_ends_the_backfill_of_a_target() -> None:
    def broken(request: Request) -> SimulatedResponse | None:
        return SimulatedResponse(500) if request.path == "/v3/workspaces" else None

    with pytest.raises(PollError, match="server_error: list of workspaces: HTTP status 500"):
        history_of(affinda_settings(workspaces="all"), Vendors(ACCOUNTS, broken), MARCH, MARCH)


def test_groups_without_a_plan_have_no_history() -> None:
    none = Accounts((), (Group(481, "Head", KEY),), lambda: NOON)
    with pytest.raises(PollError, match="malformed: the response has no plan and no pack"):
        history_of(xtracta_settings(groups="all"), Vendors(none), MARCH, MARCH)
