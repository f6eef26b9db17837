"""The page of a target, as HTML and in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from fake_targets import allowance, outcome
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from pages_of_targets import (
    DAY,
    MONTHLY,
    NOW,
    TIMED_OUT,
    TODAY,
    affinda_result,
    affinda_target,
    polled,
    settings,
    use,
    xtracta_target,
)
from served_pages import served

from exporter.model import Anomaly, FailureReason, PollFailure, PollResult, ScopeFailure
from exporter.state.store import TargetState
from exporter.web.target_page import MAX_PICTURES, target_page, unknown_target_page

if TYPE_CHECKING:
    from browser import Browser

    from exporter.state.store import TargetSnapshot


def shown(snapshot: TargetSnapshot) -> html.HtmlElement:
    return html.document_fromstring(target_page(snapshot, NOW).decode())


def text_of(element: html.HtmlElement) -> str:
    return re.sub(r" ([,;:.])", r"\1", " ".join(" ".join(element.itertext()).split()))


def lead(snapshot: TargetSnapshot) -> str:
    (sentence,) = shown(snapshot).find_class("lead")
    return text_of(sentence)


def facts(page: html.HtmlElement) -> dict[str, str]:
    """The terms of every list, with what they say."""
    return {text_of(item[0]): text_of(item[1]) for item in page.xpath("//dl/div")}


def legend(page: html.HtmlElement) -> list[str]:
    return [text_of(item) for item in page.xpath("//*[@class='legend']/li")]


def chart_labels(page: html.HtmlElement) -> list[str]:
    labels = page.xpath("//svg[@class='chart']//text[contains('out now limit', @class)]")
    return [text_of(label) for label in labels]


def test_the_sentence_that_matters_comes_first() -> None:
    assert lead(affinda_target("acme-us")) == (
        "acme-us: 2,209 of 16,000 credits are left (14 %). At the current rate they run out on "
        "Sun 22 Nov 2026, 8 days before the period ends; about 6,400 credits short."
    )


def test_the_picture_shows_the_days_the_total_the_projection_and_the_run_out() -> None:
    page = shown(affinda_target())
    assert legend(page) == [
        "used on a weekday",
        "at the weekend",
        "expected",
        "total used",
        "expected total",
        "its range in 8 of 10 cases",
        "the period began on Sun 1 Nov 2026",
    ]
    assert chart_labels(page) == [
        "today, Wed 18 Nov 2026",
        "16,000 purchased",
        "runs out Sun 22 Nov 2026",
    ]
    (picture,) = page.xpath("//svg[@class='chart']")
    assert picture.get("aria-label") == "Use of Acme (oRg1) · monthly credits"
    (description,) = picture.iter("desc")
    assert description.text in lead(affinda_target())


def test_the_facts_are_there_as_text() -> None:
    found = facts(shown(affinda_target()))
    assert found["Purchased"] == "16,000 credits"
    assert found["Used"] == "13,791 credits"
    assert found["Left"] == "2,209 credits (14 %)"
    assert found["Runs out"].startswith("2026-11-22")
    assert found["Period ends"] == "2026-12-01 (in 12 d), then the same allowance follows"
    assert found["Expected at the period's end"].endswith("of what was purchased)")


def test_the_estimate_is_explained_in_figures() -> None:
    days = list(use())
    days[-100] *= 9
    days[-14] = 2
    target = settings("acme", {"credits": 40_000, "period": "month"})
    page = shown(polled(target, affinda_result(target, {"whole": tuple(days)})))
    (table,) = page.xpath("//table[caption]")
    assert [text_of(head) for head in table.iter("th")] == [
        "Mon",
        "Tue",
        "Wed",
        "Thu",
        "Fri",
        "Sat",
        "Sun",
    ]
    assert len(list(table.iter("td"))) == 7
    lines = [text_of(line) for line in page.xpath("//*[@class='steps']/li")]
    assert lines[0] == "364 complete days of use are known; the last 56 give the days of the week."
    assert lines[1] == "The first and last days of a month are like the others."
    assert re.fullmatch(
        r"Days too large to recur: 2026-08-11 \([\d,]+ counts as [\d,]+\)\.", lines[2]
    )
    assert re.fullmatch(r"Holidays: 2026-11-05 \(2 counts as [\d,]+\)\.", lines[3])
    assert lines[4].startswith("Mean error that is expected of a week's use: ")


def test_month_edges_and_a_jump_are_explained() -> None:
    dates = [TODAY - timedelta(days=age) for age in range(364, -1, -1)]
    days = [3000 if day.day == 1 else 1000 for day in dates]
    days[-6:] = [4000] * 6
    target = settings("acme", {"credits": 400_000, "period": "year"})
    page = shown(polled(target, affinda_result(target, {"whole": tuple(days)})))
    lines = [text_of(line) for line in page.xpath("//*[@class='steps']/li")]
    assert re.fullmatch(
        r"The first days of a month use 2\.\d\d, 1\.00, 1\.00 times as much\.", lines[1]
    )
    assert lines[2] == "The last days of a month use 1.00, 1.00, 1.00 times as much."
    assert re.fullmatch(
        r"Use is at another level since 2026-11-13: the days before count \d\.\d\d times\.",
        lines[3],
    )


def test_more_than_a_few_adjusted_days_are_counted() -> None:
    days = [500] * 365
    days[-55:-3:4] = [1] * 13
    target = settings("acme", {"credits": 400_000, "period": "year"})
    page = shown(polled(target, affinda_result(target, {"whole": tuple(days)})))
    (line,) = [text_of(each) for each in page.xpath("//*[@class='steps']/li[contains(., 'Holi')]")]
    assert line.count("counts as") == 12
    assert line.endswith(", and 1 more.")


def test_on_its_first_day_an_allowance_shows_that_day() -> None:
    starts = {"credits": 40_000, "period": "prepaid", "starts": "2026-11-18"}
    page = shown(affinda_target(allowance=starts, days=1))
    lines = [text_of(line) for line in page.xpath("//*[@class='steps']/li")]
    assert lines[0] == "Only the current day is known: the next ones may use as much."
    assert chart_labels(page)[1] == "40,000 purchased"


def test_with_totals_only_it_says_how_many_days_were_observed() -> None:
    page = shown(xtracta_target())
    assert "the totals that it observes: no complete days so far." in text_of(page)
    assert "before the first observed day" in legend(page)
    assert "used on a weekday" not in legend(page)
    lines = [text_of(line) for line in page.xpath("//*[@class='steps']/li")]
    assert lines[0] == "Only a total is known: 80 a day over 140 days on average."
    assert "1 complete day so far." in text_of(shown(xtracta_target(polls=2)))
    later = shown(xtracta_target(polls=12))
    assert "11 complete days so far." in text_of(later)
    lines = [text_of(line) for line in later.xpath("//*[@class='steps']/li")]
    assert lines[0] == "10 complete days of use are known; the last 10 give the days of the week."
    assert lines[1] == "Before these: 80 a day over 129 days on average."
    assert "The vendor reports only a total" not in text_of(shown(xtracta_target(polls=30)))


def test_totals_that_were_never_observed_are_shown_without_days() -> None:
    plan = allowance({"cumulative_only": True, "start": None, "used": 700})
    state = TargetState(last_poll=outcome(), result=PollResult((), (plan,)), succeeded_at=NOW)
    page = shown(affinda_target()._replace(state=state))
    assert "no complete days so far" in text_of(page)


def test_what_is_not_known_of_an_allowance_is_said() -> None:
    target = settings("acme", MONTHLY)
    days = (*use()[:-1], None)
    page = shown(polled(target, affinda_result(target, {"whole": days})))
    assert "Use per day is unknown." in text_of(page)
    assert facts(page)["Used"] == "unknown"
    assert "total used" not in legend(page)


def test_a_used_up_allowance_shows_the_day_and_what_is_missing() -> None:
    snapshot = affinda_target(allowance={"credits": 9_000, "period": "month"})
    assert lead(snapshot) == (
        "acme: All 9,000 credits are used up since Thu 12 Nov 2026. The period ends on Tue 1 Dec "
        "2026; about 13,000 credits short."
    )
    assert chart_labels(shown(snapshot))[-1] == "used up Thu 12 Nov 2026"
    assert facts(shown(snapshot))["Ran out"] == "2026-11-12 (7 d ago)"


def test_a_run_out_before_the_period_is_not_in_its_picture() -> None:
    used_up = allowance(
        {"available": 0, "start": NOW - 5 * DAY, "exhaustion": NOW - 6 * DAY, "end": NOW + DAY}
    )
    state = TargetState(last_poll=outcome(), result=PollResult((), (used_up,)), succeeded_at=NOW)
    assert "used up" not in " ".join(chart_labels(shown(affinda_target()._replace(state=state))))


def test_an_allowance_that_lasts_has_no_run_out_in_its_picture() -> None:
    page = shown(affinda_target(allowance={"credits": 90_000, "period": "month"}))
    assert chart_labels(page) == ["today, Wed 18 Nov 2026", "90,000 purchased"]
    assert "are left when the period ends on Tue 1 Dec 2026." in text_of(page)


def test_an_allowance_that_nobody_uses_is_not_expected_to_run_out() -> None:
    target = settings("acme", MONTHLY)
    snapshot = polled(target, affinda_result(target, {"whole": (*[100] * 200, *[0] * 165)}))
    assert "Nothing was used lately, so they are not expected to run out." in lead(snapshot)
    assert chart_labels(shown(snapshot)) == ["today, Wed 18 Nov 2026", "16,000 purchased"]


def test_a_period_that_has_ended_has_no_projection() -> None:
    ended = {"credits": 9_000, "period": "prepaid", "starts": "2026-10-01", "ends": "2026-11-10"}
    page = shown(affinda_target(allowance=ended))
    assert "expected total" not in legend(page)
    assert "today, Wed 18 Nov 2026" not in chart_labels(page)
    assert "Period ended" in facts(page)


def test_a_period_that_ended_long_ago_is_shown_as_it_was() -> None:
    ended = {"credits": 9_000, "period": "prepaid", "starts": "2026-01-01", "ends": "2026-03-31"}
    page = shown(affinda_target(allowance=ended))
    ticks = page.xpath("//svg[@class='chart']/text[starts-with(@class, 'time')]/text()")
    assert (ticks[0], ticks[-1]) == ("5 Jan", "30 Mar")


def test_a_target_that_is_down_shows_why_and_the_last_values() -> None:
    target = settings("acme", MONTHLY)
    page = shown(
        polled(target, affinda_result(target, {"whole": use()}), at=NOW - 7200, failure=TIMED_OUT)
    )
    assert "The vendor did not respond in time: no response within 20 s" in text_of(page)
    assert "values 2 h old, next poll in 40 s" in text_of(page)
    assert "2,209 of 16,000 credits are left" in text_of(page)


def test_expired_values_are_shown_as_the_past_without_a_forecast() -> None:
    target = settings("acme", MONTHLY)
    result = affinda_result(target, {"whole": use()})
    snapshot = polled(target, result, at=NOW - 3 * DAY, failure=TIMED_OUT, is_stale=True)
    page = shown(snapshot)
    assert lead(snapshot) == (
        "acme: the values are 3 d old and have expired: what is left now is unknown. What was "
        "known then is below."
    )
    assert "When the values were read, 13,791 of the credits had been used." in text_of(page)
    assert "expected total" not in legend(page)
    assert "Runs out" not in facts(page)
    assert "How this is estimated" not in text_of(page)
    days = (*use()[:-1], None)
    unknown = polled(target, affinda_result(target, {"whole": days}), is_stale=True)
    assert "an unknown number of the credits had been used" in text_of(shown(unknown))


def test_before_the_first_result_nothing_is_known() -> None:
    target = settings("acme")
    assert lead(polled(target, None)) == "acme has not been polled yet: nothing is known."
    failing = polled(target, None, failure=TIMED_OUT)
    assert lead(failing) == "acme: no poll has succeeded yet: nothing is known."
    assert facts(shown(failing))["Polls since the start"] == "1, of which 1 failed"


def test_without_an_allowance_daily_use_is_shown_alone() -> None:
    snapshot = affinda_target(allowance=None)
    used = f"{sum(use()[-30:]):,} credits were used on the last 30 days."
    assert lead(snapshot) == f"acme: {used} No allowance is known, so what is left is unknown."
    assert legend(shown(snapshot)) == ["used on a weekday", "at the weekend"]
    (description,) = shown(snapshot).iter("desc")
    assert str(description.text).startswith(
        f"{sum(use()[-92:]):,} credits were used on the last 92"
    )


def test_of_yesterday_without_an_allowance_the_current_moment_is_not_marked() -> None:
    target = settings("acme")
    page = target_page(polled(target, affinda_result(target, {"whole": use()})), NOW + DAY)
    assert "today, " not in page.decode()


def test_without_daily_use_there_is_no_picture() -> None:
    target = settings("acme")
    snapshot = polled(target, affinda_result(target, {"whole": (1, None)}))
    assert lead(snapshot) == "acme: No allowance is known, and no use."
    assert not shown(snapshot).xpath("//svg[@class='chart']")
    assert lead(polled(target, PollResult(()))) == "acme: No allowance is known, and no use."


def test_of_many_allowances_the_worst_have_pictures() -> None:
    many = tuple(
        allowance({"allowance": f"plan-{number}", "exhaustion": NOW + number * DAY})
        for number in range(12)
    )
    page = shown(polled(settings("acme"), PollResult((), many)))
    assert len(page.xpath("//svg[@class='chart']")) == MAX_PICTURES
    assert len(page.xpath("//svg[@role='meter']")) == 12 - MAX_PICTURES
    assert "4 further allowances" in text_of(page)
    (sentence,) = page.find_class("lead")
    assert text_of(sentence).startswith(
        "acme: org · plan-0, the most urgent of 12 allowances: 300 of"
    )


def rows(page: html.HtmlElement) -> list[list[str]]:
    return [
        [text_of(cell) for cell in row]
        for row in page.xpath("//table[@class='scopes']/tbody/tr[td]")
    ]


def test_the_table_has_every_scope_the_largest_first_with_its_share() -> None:
    target = settings("acme")
    days = {"whole": (10,) * 365, "wSp1": (2,) * 365, "wSp2": (7,) * 365}
    found = rows(shown(polled(target, affinda_result(target, days))))
    assert found == [
        ["Acme oRg1", "", "10", "10", "70", "300", "180", "100 %"],
        ["wSp2", "", "7", "7", "49", "210", "126", "70 %"],
        ["Claims wSp1", "", "2", "2", "14", "60", "36", "20 %"],
    ]


def test_scopes_that_fail_are_in_the_table_with_their_reasons() -> None:
    target = settings("acme")
    days: dict[str, tuple[int | None, ...]] = {"whole": (0, 0), "wSp1": (1, 2), "wSp3": (1, None)}
    result = affinda_result(target, days)
    failures = tuple(
        ScopeFailure(f"workspace {value}", FailureReason.TIMEOUT, "slow", "workspace", value)
        for value in ("wSp1", "wSp2", "")
    )
    found = rows(shown(polled(target, replace(result, scope_failures=failures))))
    assert found[1][0] == "Claims wSp1 timeout: slow"
    assert found[1][2:4] == ["2", "1"]
    assert found[1][7] == "—"  # of nothing
    assert found[2:] == [
        ["wSp3", "", *["—"] * 6],
        ["wSp2 timeout: slow", *["—"] * 7],
        ["workspace timeout: slow", *["—"] * 7],
    ]


def test_allowances_of_totals_have_rows_without_shares() -> None:
    (row,) = rows(shown(xtracta_target(polls=12)))
    assert (row[0], row[2], row[7]) == ("4101 · Yearly (7101) 4101/7101", "48", "—")


def test_polls_and_anomalies_are_counted() -> None:
    target = settings("acme")
    result = affinda_result(target, {"whole": use()})
    anomalies = (Anomaly.TOTAL_MISMATCH, Anomaly.TOTAL_MISMATCH, Anomaly.UNKNOWN_FIELD)
    found = facts(shown(polled(target, replace(result, anomalies=anomalies))))
    assert found["Last poll"] == "2026-11-18 14:18 UTC (2 min ago)"
    assert found["Next poll"] == "2026-11-18 14:33 UTC (in 14 min)"
    assert (found["Duration"], found["Requests of the last poll"]) == ("0.50 s", "3")
    assert found["Anomalies since the start"] == "2 total mismatch, 1 unknown field"


@pytest.mark.parametrize("name", ["acme", "a/b c", "ünï.csv", "..", "50%"])
def test_links_lead_back_and_to_the_figures(name: str) -> None:
    page = shown(
        affinda_target()._replace(target=settings("acme").model_copy(update={"name": name}))
    )
    path = f"../api/v1/targets/{quote(name, safe='')}"
    assert page.xpath("//header//a/@href") == ["../", path, f"{path}/usage.csv"]


def test_an_unknown_target_leads_back_to_the_list() -> None:
    page = html.document_fromstring(unknown_target_page("<b>acme").decode())
    assert page.xpath("//a/@href") == ["../"]
    assert "No target is named <b>acme." in text_of(page)


HOSTILE = "\"'><script>alert(1)</script><b onclick=x>&amp;\u202eabc"


def hostile() -> TargetSnapshot:
    """Names and reasons that look like markup or reverse the direction of the text."""
    target = settings("acme", MONTHLY)
    result = affinda_result(target, {"whole": use(), "wSp1": use()})
    failed = ScopeFailure(HOSTILE, FailureReason.TIMEOUT, HOSTILE, "workspace", HOSTILE)
    plan = replace(result.allowances[0], account_name=HOSTILE, allowance_name=HOSTILE, unit=HOSTILE)
    result = replace(
        result,
        allowances=(plan,),
        scopes=tuple(
            scope._replace(name=HOSTILE, value=f"{HOSTILE}{scope.value}", unit=HOSTILE)
            for scope in result.scopes
        ),
        scope_failures=(failed,),
        notes=(HOSTILE,),
    )
    failure = PollFailure(FailureReason.AUTH, HOSTILE)
    snapshot = polled(target, result, failure=failure)
    return snapshot._replace(target=target.model_copy(update={"name": HOSTILE, "vendor": HOSTILE}))


def test_external_text_is_escaped_and_isolated() -> None:
    page = shown(hostile())
    assert not [element for element in page.iter() if element.tag in {"script", "b"}]
    assert not [name for element in page.iter() for name in element.attrib if name[:2] == "on"]
    (heading,) = page.iter("h1")
    assert heading[0].tag == "bdi"
    assert text_of(heading) == HOSTILE


def test_text_that_utf8_cannot_encode_is_replaced() -> None:
    snapshot = affinda_target()
    target = snapshot.target.model_copy(update={"name": "acme\ud800"})
    assert "acme?" in target_page(snapshot._replace(target=target), NOW).decode()


@given(
    st.lists(st.integers(-(10**11), 10**11), min_size=1, max_size=80),
    st.integers(0, 10**9),
    st.sampled_from(["month", "year", "prepaid"]),
    st.integers(-400, 400),
)
def test_any_use_at_any_time_gives_a_page(
    days: list[int], purchased: int, period: str, later: int
) -> None:
    starts = {"starts": "2026-11-01"} if period == "prepaid" else {}
    target = settings("acme", {"credits": purchased, "period": period} | starts)
    snapshot = polled(target, affinda_result(target, {"whole": tuple(days)}))
    page = target_page(snapshot, NOW + later * DAY).decode()
    assert html.document_fromstring(page).xpath("//h1")


@pytest.mark.e2e
@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1300, "dark")])
def test_a_browser_shows_the_page_within_its_width_without_errors_and_other_requests(
    tab: Browser, width: int, scheme: str
) -> None:
    targets = [hostile(), affinda_target("a/b"), xtracta_target(polls=12)]
    tab.call("Network.enable")
    with served(targets) as url:
        tab.window(width, 800, scheme)
        for target in targets:
            page = f"{url}targets/{quote(target.target.name, safe='')}"
            tab.open(page)
            assert tab.value("document.querySelector('h1').textContent") == target.target.name
            assert tab.value("document.documentElement.scrollWidth <= innerWidth")
            assert tab.complaints() == []
            requested = [
                event["params"]["request"]["url"]
                for event in tab.events
                if event["method"] == "Network.requestWillBeSent"
            ]
            assert [address for address in requested if not address.startswith("data:")] == [page]
            assert any(name.startswith("Use of ") for name in tab.names("image"))
        tab.open(f"{url}targets/a%2Fb")
        tab.events.clear()
        tab.value("document.querySelector('nav a').click()")
        tab.wait_for("Page.loadEventFired")
        assert tab.value("document.querySelectorAll('.target a[href^=targets]').length") == 3
