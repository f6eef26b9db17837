"""The status page, as HTML and in a real browser."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from programs import program
from served_pages import served

from exporter.config.models import Alerts, Target
from exporter.model import (
    Allowance,
    FailureReason,
    PollFailure,
    PollOutcome,
    PollResult,
    ScopeFailure,
)
from exporter.state.store import TargetSnapshot, TargetState
from exporter.web.status_page import PageInfo, status_page
from exporter.web.style import COLOURS, STYLE, security_headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from browser import Browser

NOW = 1_795_000_000.0  # 2026-11-18
DAY = 86_400
INFO = PageInfo("1.2.3")
RUNBOOK = Path(__file__).parent.parent.parent.parent / "prometheus" / "RUNBOOK.md"
PLENTY = Allowance(
    "eUrAcMe1",
    "credits",
    50_000,
    12_000,
    38_000,
    "credits",
    burn_per_day=1_400,
    account_name="Acme Europe",
    exhaustion=NOW + 27 * DAY,
    exhaustion_earliest=NOW + 25 * DAY,
    exhaustion_latest=NOW + 31 * DAY,
    projected_used=29_000,
    end=NOW + 12 * DAY,
)
SCARCE = Allowance(
    "4201",
    "7201",
    5_000,
    4_000,
    1_000,
    "documents",
    allowance_name="Quarterly 1",
    burn_per_day=139,
    exhaustion=NOW + 2 * DAY,
    end=NOW + 50 * DAY,
)
REFUSED = PollFailure(FailureReason.AUTH, "HTTP status 401: Invalid token.")


def target(name: str, vendor: str = "affinda", **alerts: float) -> Target:
    # Unchecked: the page must not rely on what a configuration may hold.
    return Target.model_construct(name=name, vendor=vendor, alerts=Alerts(**alerts))


def up(
    name: str, *allowances: Allowance, vendor: str = "affinda", **alerts: float
) -> TargetSnapshot:
    poll_result = PollResult((), allowances)
    outcome = PollOutcome(poll_result, 0.5, 1, NOW - 90, NOW + 810)
    return TargetSnapshot(
        target(name, vendor, **alerts), TargetState().after(outcome, 0.0), is_stale=False
    )


def down(name: str, failure: PollFailure = REFUSED, *, is_stale: bool = False) -> TargetSnapshot:
    outcome = PollOutcome(failure, 0.5, 1, NOW - 20, NOW + 10)
    before = (
        up(name, PLENTY)
        if is_stale
        else TargetSnapshot(target(name), TargetState(), is_stale=False)
    )
    return TargetSnapshot(before.target, before.state.after(outcome, 0.0), is_stale)


def waiting(name: str) -> TargetSnapshot:
    return TargetSnapshot(target(name), TargetState(), is_stale=False)


def shown(
    snapshots: Iterable[TargetSnapshot], query: bytes = b"", info: PageInfo = INFO
) -> html.HtmlElement:
    return html.document_fromstring(status_page(snapshots, query, info, NOW).decode())


def text_of(element: html.HtmlElement) -> str:
    text = " ".join(" ".join(element.itertext()).split())
    return re.sub(r" ([,;:])", r"\1", text)


def names(page: html.HtmlElement) -> list[str]:
    return [text_of(heading) for heading in page.iter("h2")]


def only_row(snapshot: TargetSnapshot) -> str:
    (row,) = shown([snapshot]).xpath("//li[@class='target']")
    return text_of(row)


def test_a_target_shows_what_is_left_when_it_runs_out_and_the_age_of_that() -> None:
    assert only_row(up("acme-eu", PLENTY)) == (
        "acme-eu affinda up values 2 min old, next poll in 14 min Acme Europe (eUrAcMe1) · credits "
        "76 % left: 38,000 of 50,000 credits "
        "1,400 a day; runs out 2026-12-15 (in 27 d), likely 2026-12-13 to 2026-12-19; "
        "ends 2026-11-30 (in 12 d), about 58 % used by then"
    )


def test_an_allowance_that_runs_out_early_is_marked() -> None:
    row = only_row(up("acme-nz", SCARCE))
    assert "runs out 2026-11-20 (in 2 d), before it ends; ends 2027-01-07 (in 50 d)" in row
    assert "4201 · Quarterly 1 (7201) 20 % left: 1,000 of 5,000 documents" in row


def polled(result: PollResult) -> TargetSnapshot:
    outcome = PollOutcome(result, 0.5, 1, NOW - 90, NOW + 810)
    return TargetSnapshot(target("acme"), TargetState().after(outcome, 0.0), is_stale=False)


def test_an_allowance_without_a_known_share_has_no_bar() -> None:
    unlimited = replace(SCARCE, allowed=None, available=None, exhaustion=None)
    (row,) = shown([up("acme", unlimited)]).xpath("//li[@class='target']")
    assert not row.xpath(".//svg")
    assert "4201 · Quarterly 1 (7201) documents: 4,000 used 139 a day" in text_of(row)


def test_parts_that_cannot_be_read_and_notes_are_shown() -> None:
    failures = tuple(
        ScopeFailure(f"group {number}", FailureReason.TIMEOUT, "slow", "group_id", str(number))
        for number in range(7)
    )
    row = only_row(polled(PollResult((), (), (), failures, ("cannot read price of plan 7",))))
    assert "group 4: timeout: slow and 2 more cannot read price of plan 7" in row


def test_a_failing_target_shows_since_when_the_cause_and_a_link_to_the_runbook() -> None:
    assert only_row(down("acme-legacy")) == (
        "acme-legacy affinda down failing since 2026-11-18 11:06 UTC (20 s ago) no values yet, "
        "next poll in 10 s "
        "The vendor rejected the API key: HTTP status 401: Invalid token. Runbook: auth"
    )


@pytest.mark.parametrize("reason", FailureReason)
def test_every_reason_has_a_text_and_a_section_of_the_runbook(reason: FailureReason) -> None:
    (row,) = shown([down("acme", PollFailure(reason, "the detail."))]).find_class("target")
    text = rf"in 10 s [A-Z][a-zAPITLS' ,]+: the detail\. Runbook: {reason}$"
    assert re.search(text, text_of(row))
    (link,) = row.xpath(".//a[starts-with(., 'Runbook')]/@href")
    page, _, section = link.partition("#")
    assert page.endswith("/prometheus/RUNBOOK.md")
    assert f"## {section}\n" in RUNBOOK.read_text().lower()


def test_expired_values_are_not_shown() -> None:
    row = only_row(down("acme", is_stale=True))
    assert "down expired failing since 2026-11-18 11:06 UTC (20 s ago) values 2 min old" in row
    assert "38,000" not in row


def test_a_target_before_its_first_poll_is_waiting() -> None:
    assert only_row(waiting("acme")) == "acme affinda not polled yet first poll soon"


def test_a_poll_that_is_due_is_next() -> None:
    snapshot = up("acme")
    page = status_page([snapshot], b"", INFO, NOW + 1000).decode()
    assert "values 18 min old, next poll now" in text_of(html.document_fromstring(page))


def test_a_target_without_an_allowance_is_shown_without_one() -> None:
    assert only_row(up("acme")).endswith("No allowance is known.")


def test_an_unused_allowance_has_no_outlook() -> None:
    row = only_row(up("acme", Allowance("org", "credits", 10, 0, 10, "credits")))
    assert row.endswith("100 % left: 10 of 10 credits")


@pytest.mark.parametrize(
    ("available", "level"),
    [(1000, "fine"), (300, "fine"), (299, "warning"), (100, "warning"), (99, "critical")],
)
def test_a_bar_has_the_severity_by_the_target_s_own_thresholds(
    available: float, level: str
) -> None:
    allowance = Allowance("org", "credits", 1000, 1000 - available, available, "credits")
    page = shown([up("acme", allowance, warning_ratio=0.3, critical_ratio=0.1)])
    (bar,) = page.iter("svg")
    assert (bar.get("class"), bar.get("role")) == (level, "meter")
    assert bar.get("aria-label") == "org · credits, share left"
    assert bar.get("aria-valuenow") == bar[0].get("width") == f"{available / 10:.1f}"


def test_a_time_that_is_not_a_possible_date_is_shown_as_text() -> None:
    allowance = Allowance("org", "credits", 10, 1, 9, "credits", exhaustion=1e18)
    assert only_row(up("acme", allowance)).endswith("runs out in over 10 years")


USED_UP = replace(PLENTY, used=50_000, available=0, exhaustion=NOW - 3 * DAY)


def test_an_allowance_that_is_used_up_shows_when_it_ran_out() -> None:
    row = only_row(up("acme", USED_UP))
    assert "0 % left: 0 of 50,000 credits 1,400 a day; ran out 2026-11-15 (3 d ago); ends" in row


def test_shares_and_paces_that_are_nearly_nothing_are_shown_as_such() -> None:
    unused = replace(PLENTY, burn_per_day=0.01, projected_used=1)
    row = only_row(up("acme", unused))
    assert "<0.1 a day; runs out" in row
    assert "about <1 % used by then" in row


def test_the_worst_allowance_of_a_target_is_first() -> None:
    lasting = replace(PLENTY, allowance="lasting", exhaustion=NOW + DAY, end=NOW + 1)
    unknown = replace(PLENTY, allowance="unknown", exhaustion=None)
    (row,) = shown([up("acme", unknown, lasting, SCARCE, USED_UP)]).xpath("//li[@class='target']")
    assert [text_of(heading).partition(" · ")[2] for heading in row.iter("h3")] == [
        "credits",
        "Quarterly 1 (7201)",
        "lasting",
        "unknown",
    ]


MIXED = [
    up("a-plenty", PLENTY),
    up("b-scarce", SCARCE, vendor="xtracta", warning_ratio=0.3),
    down("c-down"),
    down("d-stale", is_stale=True),
    waiting("e-waiting"),
]
ORDERED = ["d-stale", "c-down", "b-scarce", "e-waiting", "a-plenty"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"", ORDERED),
        (b"vendor=xtracta", ["b-scarce"]),
        (b"state=up", ["b-scarce", "a-plenty"]),
        (b"state=down", ["d-stale", "c-down"]),
        (b"state=waiting", ["e-waiting"]),
        (b"state=stale", ["d-stale"]),
        (b"state=low", ["b-scarce"]),
        (b"state=early", ["b-scarce"]),
        (b"state=down&vendor=xtracta", []),
        (b"state=nonsense", ORDERED),
        (b"name=+PLEN+", ["a-plenty"]),
        (b"vendor=nobody", []),
        (b"name=a&page=99", ["d-stale", "b-scarce", "e-waiting", "a-plenty"]),
    ],
)
def test_filters_select_targets_and_the_worst_are_first(query: bytes, found: list[str]) -> None:
    assert names(shown(MIXED, query)) == found


def test_the_form_shows_the_current_filter() -> None:
    page = shown(MIXED, b"name=%22a&vendor=xtracta&state=low")
    chosen = [option.get("value") for option in page.xpath("//option[@selected]")]
    assert chosen == ["xtracta", "low"]
    assert page.xpath("//input/@value") == ['"a']
    assert [text_of(option) for option in page.xpath("//select[@name='state']/option")] == [
        "any",
        "down",
        "expired",
        "running low",
        "runs out early",
        "used up",
        "not polled yet",
        "up",
    ]


def test_counts_are_links_to_the_targets_with_a_condition() -> None:
    page = shown([*MIXED, up("f-used-up", USED_UP), up("g-early", SCARCE)], b"state=down")
    links = page.xpath("//nav[@class='counts']//a")
    assert {text_of(link): link.get("href") for link in links} == {
        "2 down": "?state=down",
        "1 expired": "?state=stale",
        "1 running low": "?state=low",
        "2 run out early": "?state=early",
        "1 used up": "?state=used_up",
        "1 not polled yet": "?state=waiting",
        "4 up": "?state=up",
    }
    assert [text_of(link) for link in links if link.get("aria-current")] == ["2 down"]
    assert "1 runs out early" in text_of(shown(MIXED))


def test_of_targets_with_the_same_condition_the_one_that_runs_out_first_is_first() -> None:
    later = replace(SCARCE, exhaustion=NOW + 3 * DAY)
    page = shown([up("a", PLENTY), up("later", later), up("sooner", SCARCE)])
    assert names(page) == ["sooner", "later", "a"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (b"", "5 targets"),
        (b"state=up", "2 of 5 targets"),
        (b"vendor=nobody", "None of 5 targets matches."),
    ],
)
def test_the_page_shows_how_many_targets_match(query: bytes, text: str) -> None:
    (summary,) = shown(MIXED, query).find_class("summary")
    assert text_of(summary) == text


@pytest.fixture(scope="module")
def many() -> list[TargetSnapshot]:
    return [waiting(f"target-{number:05}") for number in range(1, 10_001)]


@pytest.mark.parametrize(
    ("query", "first", "links"),
    [
        (b"", "target-00001", ["Page 1 of 200", "Next", "Last"]),
        (b"page=2", "target-00051", ["First", "Previous", "Page 2 of 200", "Next", "Last"]),
        (b"page=200", "target-09951", ["First", "Previous", "Page 200 of 200"]),
        (b"page=1000000", "target-09951", ["First", "Previous", "Page 200 of 200"]),
        (b"page=0", "target-00001", ["Page 1 of 200", "Next", "Last"]),
        (b"page=two", "target-00001", ["Page 1 of 200", "Next", "Last"]),
    ],
)
def test_ten_thousand_targets_are_divided_into_pages(
    many: list[TargetSnapshot], query: bytes, first: str, links: list[str]
) -> None:
    page = shown(many, query)
    assert len(names(page)) == 50
    assert names(page)[0] == first
    assert [text_of(item) for item in page.xpath("//nav[@class='pages']//li")] == links


def test_a_page_shows_which_part_of_the_targets_it_is(many: list[TargetSnapshot]) -> None:
    (summary,) = shown(many, b"page=3").find_class("summary")
    assert text_of(summary) == "10,000 targets, 101 to 150 shown"


def test_links_to_other_pages_keep_the_filter(many: list[TargetSnapshot]) -> None:
    page = shown(many, b"name=target-0%261&state=waiting&vendor=affinda&page=1")
    assert page.xpath("//nav[@class='pages']//a") == []
    page = shown(many, b"name=target-0&state=waiting&vendor=affinda&page=2")
    assert page.xpath("//nav[@class='pages']//a/@href")[0] == (
        "?name=target-0&vendor=affinda&state=waiting&page=1"
    )


def test_links_to_other_endpoints_are_relative() -> None:
    page = shown([], info=PageInfo("1.2.3", "/my/metrics", "shard 0 of 4"))
    assert page.xpath("//header//a/@href") == [
        "my/metrics",
        "config",
        "api/v1/targets",
        "documentation",
    ]
    assert "version 1.2.3 · shard 0 of 4" in text_of(page)


HOSTILE = "\"'><script>alert(1)</script><b onclick=x>&amp;\u202e"


def test_external_text_is_escaped() -> None:
    allowance = Allowance(
        HOSTILE, HOSTILE, 1, 1, 0, "credits", account_name=HOSTILE, allowance_name=HOSTILE
    )
    snapshots = [
        up(HOSTILE, allowance, vendor=HOSTILE),
        down("other", PollFailure(FailureReason.AUTH, HOSTILE)),
    ]
    info = PageInfo(HOSTILE, "/" + HOSTILE, HOSTILE)
    page = shown(snapshots, b"name=%22%3E%3Cscript%3E&vendor=%27%3E", info)
    everything = [*page.iter(), *shown(snapshots, b"", info).iter()]
    assert not [element for element in everything if element.tag in {"script", "b"}]
    assert not [name for element in everything for name in element.attrib if name.startswith("on")]
    assert names(shown(snapshots, b"", info)) == ["other", HOSTILE]


@given(st.binary())
def test_any_query_gives_a_page(query: bytes) -> None:
    assert shown(MIXED, query).xpath("//h1")


def test_text_that_utf8_cannot_encode_is_replaced() -> None:
    assert "acme?" in status_page([up("acme\ud800")], b"", INFO, NOW).decode()


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


SCHEMES = (0, 1)  # light, dark
TEXT = ("text", "quiet", "link", "fine", "warning", "critical")


@pytest.mark.parametrize(
    ("scheme", "name", "ground"),
    list(itertools.product(SCHEMES, TEXT, ("page", "panel"))),
)
def test_text_has_the_contrast_that_wcag_requires(scheme: int, name: str, ground: str) -> None:
    assert contrast(COLOURS[name][scheme], COLOURS[ground][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_borders_lines_and_bars_have_the_contrast_that_wcag_requires(scheme: int) -> None:
    for name in ("line", "use", "weekend"):
        assert contrast(COLOURS[name][scheme], COLOURS["page"][scheme]) >= 3


def test_the_policy_allows_only_the_style_sheet_of_the_page() -> None:
    policy = dict(security_headers())[b"content-security-policy"].decode()
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; img-src data:; "
        r"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        policy,
    )
    page = status_page(MIXED, b"", INFO, NOW).decode()
    assert f"<style>{STYLE}</style>" in page
    assert "style=" not in page


@pytest.mark.parametrize(
    ("environ", "outcome"),
    [({"CI": "true"}, pytest.fail.Exception), ({}, pytest.skip.Exception)],
)
def test_a_missing_program_fails_the_test_in_continuous_integration(
    environ: dict[str, str], outcome: type[Exception]
) -> None:
    with pytest.raises(outcome, match="missing-program is not installed"):
        program("missing-program", {"PATH": "/usr/bin", **environ})


@pytest.mark.e2e
def test_a_browser_renders_the_page_without_errors_and_scripts(tab: Browser) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    with served(MIXED) as url:
        tab.window(1200, 900)
        tab.open(url)
        assert tab.complaints() == []
        assert tab.names("meter") == [
            "4201 · Quarterly 1 (7201), share left",
            "Acme Europe (eUrAcMe1) · credits, share left",
        ]
    tab.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.e2e
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_does_not_scroll_horizontally(tab: Browser, scheme: str) -> None:
    long_name = "a-name-without-any-blank-" * 8
    with served([*MIXED, down(long_name[:190], PollFailure(FailureReason.AUTH, long_name))]) as url:
        tab.window(320, 700, scheme, mobile=True)
        tab.open(url)
        assert tab.value("document.documentElement.scrollWidth") == 320
        ground = tab.value("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 22, 29)"}[scheme]


@pytest.mark.e2e
def test_the_accessibility_tree_names_every_control(
    tab: Browser, many: list[TargetSnapshot]
) -> None:
    with served(many) as url:
        tab.window(1200, 900)
        tab.open(url)
        assert tab.names("heading")[:2] == ["docusage-exporter", "target-00001"]
        assert tab.names("searchbox") == ["Name"]
        assert tab.names("combobox") == ["Vendor", "State"]
        assert tab.names("button") == ["Show"]
        assert tab.names("navigation") == ["Other pages", "Targets by state", "Pages"]
        assert tab.names("search") == ["Targets"]


@pytest.mark.e2e
def test_the_filter_can_be_used_with_the_keyboard_alone(tab: Browser) -> None:
    with served(MIXED) as url:
        tab.window(1200, 900)
        tab.open(url)
        for _ in range(11):  # four links, six counts, then the field
            tab.press("Tab", 9)
        assert tab.value("document.activeElement.name") == "name"
        assert tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab.call("Input.insertText", text="scarce")
        tab.events.clear()
        tab.press("Enter", 13, "\r")
        tab.wait_for("Page.loadEventFired")
        assert tab.value("document.querySelector('.summary').textContent") == "1 of 5 targets"
        assert tab.value("document.querySelector('h2').textContent") == "b-scarce"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("across", "down_from_top", "name"),
    [(0.1, 0.5, "fine"), (0.7, 0.2, "fine"), (0.7, 0.8, "fine"), (0.9, 0.5, "panel")],
)
def test_a_bar_is_filled_up_to_the_share_that_is_left(
    tab: Browser, across: float, down_from_top: float, name: str
) -> None:
    with served([up("acme-eu", PLENTY)]) as url:
        tab.window(800, 400)
        tab.open(url)
        x, y, width, height = tab.value(
            "(({x, y, width, height}) => [x, y, width, height])"
            "(document.querySelector('svg').getBoundingClientRect())"
        )
        assert tab.colour(x + width * across, y + height * down_from_top) == COLOURS[name][0]
