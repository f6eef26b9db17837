"""What the vendors' history means for a report, of simulated vendors, against literal figures."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from own_thread import in_own_thread
from vendor_calls import KEY, affinda_settings, directly, xtracta_settings

from exporter.demo.accounts import Accounts, Group, Organization, Plan, Scope
from exporter.demo.vendors import Request, SimulatedResponse, Vendors
from exporter.model import FailureReason, PollError, PollFailure
from exporter.past_usage import Account, DailyUsage, Money, Part, Period, UnreadScope
from exporter.vendors import VENDORS
from exporter.vendors.base import HistoryQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.models import Target
    from exporter.past_usage import PastUsage

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
DAILY = {date(2026, 3, 9): 40, date(2026, 3, 10): 5, date(2026, 3, 11): 9}
ORGANIZATION = Organization(
    "oRg1",
    "Acme",
    KEY,
    DAILY | {date(2026, 2, 20): 7},
    (Scope("wS1", "Claims", DAILY),),
    (Scope("dT1", "Invoice", {date(2026, 3, 10): 5}),),
)
ACCOUNTS = Accounts((ORGANIZATION,), now=lambda: NOON)
ACME = Account("organization", "oRg1", "Acme", "api", "Australia and global")
MARCH = date(2026, 3, 1)
TENTH, ELEVENTH = date(2026, 3, 10), date(2026, 3, 11)


def midnight(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def usage_of(settings: Target, vendors: Vendors, query: HistoryQuery) -> list[PastUsage]:
    async def main() -> list[PastUsage]:
        history = VENDORS[settings.vendor].history
        assert history
        parts = history.read(settings, directly(vendors), query)
        return [each async for part in parts for each in history.to_usage(settings, part, query)]

    return in_own_thread(asyncio.run, main())


# Affinda


def test_the_usage_of_the_organization_and_its_parts_is_by_day_until_the_current_day() -> None:
    settings = affinda_settings(workspaces="all", document_types="all")
    found = usage_of(settings, Vendors(ACCOUNTS), HistoryQuery(date(2026, 3, 9), date(2026, 4, 1)))
    whole = DailyUsage(
        account=ACME,
        part=None,
        unit="credits",
        first=date(2026, 3, 9),
        counts=(40, 5, 9),
        current_day=ELEVENTH,
        unit_price=None,
        price_keys="allowance.price_per_credit and allowance.currency",
    )
    assert found == [
        whole,
        whole._replace(part=Part("workspace", "wS1", "Claims")),
        whole._replace(part=Part("document-type", "dT1", "Invoice"), counts=(0, 5, 0)),
    ]


@pytest.mark.parametrize(
    ("scope_kinds", "expected"),
    [
        (None, ["organization", "workspace", "document-type"]),
        (frozenset({"workspace"}), ["organization", "workspace"]),
        (frozenset({"document-type"}), ["organization", "document-type"]),
        (frozenset(), ["organization"]),
    ],
)
def test_only_the_kinds_of_scopes_of_the_query_are_read(
    scope_kinds: frozenset[str] | None, expected: list[str]
) -> None:
    settings = affinda_settings(workspaces="all", document_types=("dT1",))
    found = usage_of(settings, Vendors(ACCOUNTS), HistoryQuery(TENTH, TENTH, scope_kinds))
    kinds = [
        each.part.kind if each.part else each.account.kind
        for each in found
        if isinstance(each, DailyUsage)
    ]
    assert kinds == expected


def test_a_self_hosted_installation_has_no_region() -> None:
    settings = affinda_settings(base_url="https://affinda.example.com", region="api.eu1")
    european = affinda_settings(region="api.eu1")
    regions = [
        each.account[3:]
        for target in (settings, european)
        for each in usage_of(target, Vendors(ACCOUNTS), HistoryQuery(TENTH, TENTH))
        if isinstance(each, DailyUsage)
    ]
    assert regions == [("", ""), ("api.eu1", "European Union")]


def test_days_that_a_response_does_not_cover_are_not_known() -> None:
    def shorter(request: Request) -> SimulatedResponse | None:
        if "start" not in request.query:
            return None
        return SimulatedResponse(
            body=b'{"scope":"organization","scopeIdentifier":"oRg1","start":"2026-03-09",'
            b'"end":"2026-03-10","total":40,"items":[{"date":"2026-03-09","count":40}]}'
        )

    query = HistoryQuery(date(2026, 3, 8), ELEVENTH)
    (usage,) = usage_of(affinda_settings(), Vendors(ACCOUNTS, shorter), query)
    assert isinstance(usage, DailyUsage)
    assert usage.counts == (None, 40, 0, None)


def periods(first: date, last: date, **allowance: object) -> list[Period]:
    settings = affinda_settings(allowance=allowance)
    found = usage_of(settings, Vendors(ACCOUNTS), HistoryQuery(first, last))
    return [each for each in found if isinstance(each, Period)]


def test_the_periods_of_an_allowance_that_overlap_the_days_are_priced() -> None:
    found = periods(
        *(date(2026, 2, 15), ELEVENTH),
        credits=500,
        period="month",
        price_per_credit=0.1,
        currency="EUR",
    )
    february = Period(
        account=ACME,
        kind="allowance",
        identifier="credits",
        name="monthly credits",
        unit="credits",
        start=midnight(2026, 2, 1),
        end=midnight(2026, 3, 1),
        allowed=500,
        used=7,
        price=Money(Decimal("50.0"), "EUR"),
        renews=True,
        is_used_by_day=True,
        final_until=midnight(2026, 3, 11),
    )
    march = february._replace(start=midnight(2026, 3, 1), end=midnight(2026, 4, 1), used=54)
    assert found == [february, march]
    assert str(found[0].price) == str(Money(Decimal("50.0"), "EUR"))


def test_what_an_allowance_used_is_counted_from_its_start_to_the_last_day() -> None:
    (year,) = periods(TENTH, TENTH, credits=500, period="year")
    assert (year.used, year.unused, year.price) == (52, 448, None)
    assert year.final_until == midnight(2026, 3, 11)


def test_a_prepaid_allowance_is_one_period_where_it_overlaps_the_days() -> None:
    prepaid = {"credits": 10, "period": "prepaid", "starts": "2026-03-10"}
    (found,) = periods(MARCH, ELEVENTH, **prepaid)
    assert (found.start, found.end, found.used) == (midnight(2026, 3, 10), None, 14)
    assert (found.unused, found.renews) == (0, False)
    assert periods(MARCH, date(2026, 3, 9), **prepaid) == []
    ended = prepaid | {"starts": "2026-02-01", "ends": "2026-02-28"}
    assert periods(MARCH, ELEVENTH, **ended) == []
    (found,) = periods(date(2026, 2, 28), ELEVENTH, **ended)
    assert (found.end, found.used) == (midnight(2026, 3, 1), 7)


def test_an_allowance_of_no_credits_only_gives_the_price() -> None:
    price = {"price_per_credit": 0.1, "currency": "EUR"}
    settings = affinda_settings(allowance={"credits": 0, "period": "month"} | price)
    (usage,) = usage_of(settings, Vendors(ACCOUNTS), HistoryQuery(TENTH, TENTH))
    assert isinstance(usage, DailyUsage)
    assert usage.unit_price == Money(Decimal("0.1"), "EUR")


def test_the_price_is_what_the_file_says() -> None:
    for text in ("0.1", "0.0000001", "12345.678901", "3"):
        price = {"price_per_credit": float(text), "currency": "EUR"}
        settings = affinda_settings(allowance={"credits": 0, "period": "month"} | price)
        (usage,) = usage_of(settings, Vendors(ACCOUNTS), HistoryQuery(TENTH, TENTH))
        assert isinstance(usage, DailyUsage)
        assert usage.unit_price
        assert usage.unit_price.amount == Decimal(text)


def rejecting(status: int) -> Callable[[Request], SimulatedResponse | None]:
    """Vendors that answer with an error where a workspace's usage or a group's past is wanted."""

    def before(request: Request) -> SimulatedResponse | None:
        is_past = request.path == "/v1/billings/history"
        return SimulatedResponse(status) if is_past or "workspace" in request.query else None

    return before


def test_a_workspace_that_the_vendor_refuses_costs_only_its_own_days() -> None:
    settings = affinda_settings(workspaces=("gone",), document_types=("dT1",))
    found = usage_of(settings, Vendors(ACCOUNTS, rejecting(404)), HistoryQuery(TENTH, ELEVENTH))
    whole, unread, gone, document_type = found
    assert unread == UnreadScope(
        "workspace gone", PollFailure(FailureReason.CLIENT_ERROR, "HTTP status 404")
    )
    assert isinstance(whole, DailyUsage)
    part = Part("workspace", "gone", "")
    assert gone == whole._replace(part=part, counts=(None, None))
    assert isinstance(document_type, DailyUsage)
    assert document_type.counts == (5, 0)


@pytest.mark.parametrize("settings", [affinda_settings(workspaces="all"), xtracta_settings()])
def test_a_refused_scope_ends_a_backfill(settings: Target) -> None:
    history = VENDORS[settings.vendor].history
    accounts = replace(GROUPS, organizations=(ORGANIZATION,))

    async def main() -> None:
        assert history
        send = directly(Vendors(accounts, rejecting(403)))
        parts = history.read(settings, send, FIRST)
        _ = [list(history.to_results(settings, part, FIRST)) async for part in parts]

    with pytest.raises(PollError, match="HTTP status 403"):
        in_own_thread(asyncio.run, main())


@pytest.mark.parametrize("settings", [affinda_settings(workspaces="all"), xtracta_settings()])
def test_a_server_that_fails_ends_the_reading_of_a_target(settings: Target) -> None:
    accounts = replace(GROUPS, organizations=(ORGANIZATION,))
    with pytest.raises(PollError, match="server_error: HTTP status 500"):
        usage_of(settings, Vendors(accounts, rejecting(500)), FIRST)


# Xtracta


def plan(number: int, start: datetime, days: int, **more: object) -> Plan:
    known = {"name": "Yearly", "price": 120, "currency": "NZD", "allowed": 1000, "used": 900}
    whole = known | {"id": number, "start": start, "expiry": start + timedelta(days=days)} | more
    return Plan(**whole)  # type: ignore[arg-type]  # as the cases want it


JANUARY = datetime(2026, 1, 1, 6, tzinfo=UTC)
RENEWED = JANUARY + timedelta(days=31)
BEFORE = plan(71, JANUARY, 31, allowed=800, price=Decimal("100.55"))
CURRENT = plan(71, RENEWED, 28, used=50, history=(BEFORE,))
PACK = plan(9, JANUARY, 365, name="Booster", allowed=200, used=150)
GROUPS = Accounts((), (Group(481, "Head", KEY, (CURRENT,), (PACK,)),), lambda: NOON)
HEAD = Account("group", "481", "Head")
FIRST = HistoryQuery(date(2026, 1, 1), date(2026, 2, 28))


def test_the_periods_of_plans_and_packs_are_whole() -> None:
    found = usage_of(xtracta_settings(), Vendors(GROUPS), FIRST)
    before = Period(
        account=HEAD,
        kind="plan",
        identifier="71",
        name="Yearly",
        unit="documents",
        start=JANUARY,
        end=RENEWED,
        allowed=800,
        used=900,
        price=Money(Decimal("100.55"), "NZD"),
        renews=True,
    )
    current = before._replace(
        start=RENEWED,
        end=RENEWED + timedelta(days=28),
        allowed=1000,
        used=50,
        price=Money(Decimal(120), "NZD"),
    )
    pack = current._replace(
        kind="pack",
        identifier="9",
        name="Booster",
        start=JANUARY,
        end=JANUARY + timedelta(days=365),
        allowed=200,
        used=150,
        renews=False,
    )
    assert sorted(found, key=str) == sorted([before, current, pack], key=str)


def test_periods_outside_of_the_days_are_left_out() -> None:
    query = HistoryQuery(date(2026, 3, 5), date(2026, 3, 9))
    found = usage_of(xtracta_settings(), Vendors(GROUPS), query)
    assert [(each.kind, each.identifier) for each in found if isinstance(each, Period)] == [
        ("pack", "9")
    ]


@pytest.mark.parametrize(
    ("starts", "query", "expected"),
    [
        ("<start_date>2026-02-01 06:00:00 (GMT)</start_date>", FIRST, ["71"]),
        ("", FIRST, ["71"]),
        ("<start_date>2026-03-01</start_date>", FIRST, []),
        ("<expiry_date>2025-12-31</expiry_date>", FIRST, []),
    ],
)
def test_a_current_plan_that_the_history_lacks_is_shown(
    starts: str, query: HistoryQuery, expected: list[str]
) -> None:
    def current(request: Request) -> SimulatedResponse | None:
        if request.path == "/v1/billings/history":
            return SimulatedResponse(body=b"<billings_response><plans></plans></billings_response>")
        if request.path != "/v1/billings/usage":
            return None
        return SimulatedResponse(
            body=b"<billings_response><plan><id>71</id><group_id>481</group_id>"
            b"<allowed_pages>9</allowed_pages><used_pages>3</used_pages>"
            b"<allowed_documents>5</allowed_documents><used_documents>2</used_documents>"
            b"<price>7</price><price_currency>NZD</price_currency>" + starts.encode() + b"</plan>"
            b"</billings_response>"
        )

    found = usage_of(xtracta_settings(), Vendors(GROUPS, current), query)
    shown = [
        (each.identifier, each.unit, each.used, each.price is None, each.has_own_price)
        for each in found
        if isinstance(each, Period)
    ]
    assert shown == [
        part
        for identifier in expected
        for part in (
            (identifier, "documents", 2, False, True),
            (identifier, "pages", 3, True, False),
        )
    ]


def test_a_plan_in_the_history_is_not_shown_twice_where_its_start_is_not_known() -> None:
    def nameless(request: Request) -> SimulatedResponse | None:
        if request.path != "/v1/billings/usage":
            return None
        return SimulatedResponse(
            body=b"<billings_response><plan><id>71</id><group_id>481</group_id>"
            b"<allowed_documents>5</allowed_documents></plan></billings_response>"
        )

    found = usage_of(xtracta_settings(), Vendors(GROUPS, nameless), FIRST)
    assert len(found) == 3


def test_a_plan_renews_where_its_periods_or_the_settings_say_so() -> None:
    alone = Accounts((), (Group(481, "Head", KEY, (replace(CURRENT, history=()),)),), lambda: NOON)
    for settings, vendors, expected in (
        (xtracta_settings(), Vendors(alone), [False]),
        (xtracta_settings(renews=True), Vendors(alone), [True]),
    ):
        found = usage_of(settings, vendors, FIRST)
        assert [each.renews for each in found if isinstance(each, Period)] == expected


def test_a_report_costs_a_poll_and_a_request_for_each_group() -> None:
    vendors = Vendors(GROUPS)
    usage_of(xtracta_settings(), vendors, FIRST)
    assert dict(vendors.calls) == {
        ("/v1/billings/usage", "481"): 1,
        ("/v1/group/list", "481"): 1,
        ("/v1/billings/history", "481"): 1,
    }


def test_a_group_whose_past_the_vendor_refuses_shows_its_current_plans() -> None:
    found = usage_of(xtracta_settings(), Vendors(GROUPS, rejecting(404)), FIRST)
    unread, *plans = found
    assert isinstance(unread, UnreadScope)
    assert (unread.scope, unread.failure.reason) == (
        *("past periods of group 481", FailureReason.CLIENT_ERROR),
    )
    shown = [(each.identifier, each.used) for each in plans if isinstance(each, Period)]
    assert shown == [("71", 50), ("9", 150)]
