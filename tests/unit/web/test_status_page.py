"""The page at `/`, as HTML and in a real browser."""

from __future__ import annotations

import asyncio
import itertools
import re
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from browser import Browser, browser
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from programs import program

from exporter.config.models import Alerts, Target
from exporter.metrics.cache import MetricsCache
from exporter.model import (
    Allowance,
    FailureReason,
    PollFailure,
    PollOutcome,
    PollResult,
    ScopeFailure,
)
from exporter.server.server import Server
from exporter.server.sockets import bound_sockets, url_of
from exporter.state.store import StateStore, TargetSnapshot, TargetState
from exporter.web.routes import Application
from exporter.web.status_page import PageInfo, status_page
from exporter.web.status_rows import span
from exporter.web.status_style import DARK, LIGHT, STYLE, security_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOW = 1_795_000_000.0  # 2026-11-18
DAY = 86_400
INFO = PageInfo("1.2.3")
PLENTY = Allowance(
    "eUrAcMe1",
    "credits",
    50_000,
    12_000,
    38_000,
    "credits",
    burn_per_day=1_400,
    exhaustion=NOW + 27 * DAY,
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


def words(element: html.HtmlElement) -> str:
    text = " ".join(" ".join(element.itertext()).split())
    return re.sub(r" ([,;])", r"\1", text)


def names(page: html.HtmlElement) -> list[str]:
    return [words(heading) for heading in page.iter("h2")]


def only_row(snapshot: TargetSnapshot) -> str:
    (row,) = shown([snapshot]).xpath("//li[@class='target']")
    return words(row)


def test_a_target_says_what_is_left_when_it_runs_out_and_how_old_that_is() -> None:
    assert only_row(up("acme-eu", PLENTY)) == (
        "acme-eu affinda up data 2 min old, next poll in 14 min eUrAcMe1 credits "
        "76 % left 38,000 of 50,000 credits "
        "1,400 a day; runs out 2026-12-15 (in 27 d); ends 2026-11-30 (in 12 d)"
    )


def test_what_runs_out_before_its_period_ends_says_so() -> None:
    row = only_row(up("acme-nz", SCARCE))
    assert "runs out 2026-11-20 (in 2 d), before it ends; ends 2027-01-07 (in 50 d)" in row
    assert "4201 Quarterly 1 (7201) 20 % left" in row


def polled(result: PollResult) -> TargetSnapshot:
    outcome = PollOutcome(result, 0.5, 1, NOW - 90, NOW + 810)
    return TargetSnapshot(target("acme"), TargetState().after(outcome, 0.0), is_stale=False)


def test_an_allowance_without_a_known_share_has_no_bar() -> None:
    unlimited = replace(SCARCE, allowed=None, available=None, exhaustion=None)
    (row,) = shown([up("acme", unlimited)]).xpath("//li[@class='target']")
    assert not row.xpath(".//svg")
    assert "4201 Quarterly 1 (7201) documents: 4,000 used 139 a day" in words(row)


def test_parts_that_cannot_be_read_and_notes_are_shown() -> None:
    failures = tuple(
        ScopeFailure(f"group {number}", FailureReason.TIMEOUT, "slow", "group_id", str(number))
        for number in range(7)
    )
    row = only_row(polled(PollResult((), (), (), failures, ("cannot read price of plan 7",))))
    assert "group 4: timeout: slow and 2 more cannot read price of plan 7" in row


def test_the_last_error_stands_there_in_words() -> None:
    assert only_row(down("acme-legacy")) == (
        "acme-legacy affinda down no data yet, next poll in 10 s "
        "The vendor refuses the key: HTTP status 401: Invalid token."
    )


@pytest.mark.parametrize("reason", FailureReason)
def test_every_reason_has_words(reason: FailureReason) -> None:
    row = only_row(down("acme", PollFailure(reason, "the detail.")))
    assert re.search(r"in 10 s [A-Z][a-z' ,]+: the detail\.$", row)


def test_values_that_were_withdrawn_are_not_shown_but_named() -> None:
    row = only_row(down("acme", is_stale=True))
    assert "down values withdrawn data 2 min old" in row
    assert "38,000" not in row


def test_a_target_that_was_not_polled_says_so() -> None:
    assert only_row(waiting("acme")) == "acme affinda not polled yet first poll soon"


def test_a_target_without_an_allowance_says_so() -> None:
    assert only_row(up("acme")).endswith("No allowance is known: nothing to run out.")


def test_an_allowance_that_is_not_used_has_no_outlook() -> None:
    row = only_row(up("acme", Allowance("org", "credits", 10, 0, 10, "credits")))
    assert row.endswith("100 % left 10 of 10 credits")


@pytest.mark.parametrize(
    ("available", "said"),
    [
        (1000, "100 %"),
        (999.9, "99 %"),
        (995, "99 %"),
        (200, "20 %"),
        (10, "1 %"),
        (1, "under 1 %"),
        (0, "0 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(available: float, said: str) -> None:
    allowance = Allowance("org", "credits", 1000, 1000 - available, available, "credits")
    assert f" {said} left " in only_row(up("acme", allowance))


@pytest.mark.parametrize(
    ("available", "level"),
    [(1000, "plenty"), (300, "plenty"), (299, "warning"), (100, "warning"), (99, "critical")],
)
def test_a_bar_has_the_level_of_the_target_s_own_thresholds(available: float, level: str) -> None:
    allowance = Allowance("org", "credits", 1000, 1000 - available, available, "credits")
    page = shown([up("acme", allowance, warning_ratio=0.3, critical_ratio=0.1)])
    (bar,) = page.iter("svg")
    assert (bar.get("class"), bar.get("role")) == (level, "meter")
    assert bar.get("aria-label") == "org credits, share left"
    assert bar.get("aria-valuenow") == bar[0].get("width") == f"{available / 10:.1f}"


def test_a_moment_beyond_the_calendar_is_words_alone() -> None:
    allowance = Allowance("org", "credits", 10, 1, 9, "credits", exhaustion=1e18)
    assert only_row(up("acme", allowance)).endswith("runs out in over 10 years")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (3 * DAY, "3 d")],
)
def test_a_span_is_told_in_its_largest_unit(seconds: float, said: str) -> None:
    assert span(seconds) == said


MIXED = [
    up("a-plenty", PLENTY),
    up("b-scarce", SCARCE, vendor="xtracta", warning_ratio=0.3),
    down("c-down"),
    down("d-stale", is_stale=True),
    waiting("e-waiting"),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"", ["a-plenty", "b-scarce", "c-down", "d-stale", "e-waiting"]),
        (b"vendor=xtracta", ["b-scarce"]),
        (b"state=up", ["a-plenty", "b-scarce"]),
        (b"state=down", ["c-down", "d-stale"]),
        (b"state=waiting", ["e-waiting"]),
        (b"state=stale", ["d-stale"]),
        (b"state=low", ["b-scarce"]),
        (b"state=early", ["b-scarce"]),
        (b"state=down&vendor=xtracta", []),
        (b"state=nonsense", ["a-plenty", "b-scarce", "c-down", "d-stale", "e-waiting"]),
        (b"name=+PLEN+", ["a-plenty"]),
        (b"vendor=nobody", []),
        (b"name=a&page=99", ["a-plenty", "b-scarce", "d-stale", "e-waiting"]),
    ],
)
def test_filters_show_what_they_say(query: bytes, found: list[str]) -> None:
    assert names(shown(MIXED, query)) == found


def test_the_form_keeps_the_choice_and_counts_what_there_is() -> None:
    page = shown(MIXED, b"name=%22a&vendor=xtracta&state=low")
    chosen = [option.get("value") for option in page.xpath("//option[@selected]")]
    assert chosen == ["xtracta", "low"]
    assert page.xpath("//input/@value") == ['"a']
    assert [words(option) for option in page.xpath("//select[@name='state']/option")] == [
        "any",
        "up (2)",
        "down (2)",
        "not polled yet (1)",
        "values withdrawn (1)",
        "running low (1)",
        "runs out before it ends (1)",
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (b"", "5 targets"),
        (b"state=up", "2 of 5 targets"),
        (b"vendor=nobody", "None of 5 targets matches."),
    ],
)
def test_the_page_says_how_much_of_it_is_shown(query: bytes, said: str) -> None:
    (summary,) = shown(MIXED, query).find_class("summary")
    assert words(summary) == said


MANY = [waiting(f"target-{number:05}") for number in range(1, 10_001)]


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
def test_ten_thousand_targets_are_paged(query: bytes, first: str, links: list[str]) -> None:
    page = shown(MANY, query)
    assert len(names(page)) == 50
    assert names(page)[0] == first
    assert [words(item) for item in page.xpath("//nav[@class='pages']//li")] == links


def test_a_page_tells_which_part_it_is() -> None:
    (summary,) = shown(MANY, b"page=3").find_class("summary")
    assert words(summary) == "10,000 targets, 101 to 150 shown"


def test_links_to_other_pages_keep_the_filters() -> None:
    page = shown(MANY, b"name=target-0%261&state=waiting&vendor=affinda&page=1")
    assert page.xpath("//nav[@class='pages']//a") == []
    page = shown(MANY, b"name=target-0&state=waiting&vendor=affinda&page=2")
    assert page.xpath("//nav[@class='pages']//a/@href")[0] == (
        "?name=target-0&vendor=affinda&state=waiting&page=1"
    )


def test_the_page_leads_to_the_others_behind_any_proxy() -> None:
    page = shown([], info=PageInfo("1.2.3", "/my/metrics", "shard 0 of 4"))
    assert page.xpath("//header//a/@href") == [
        "my/metrics",
        "config",
        "api/v1/targets",
        "documentation",
    ]
    assert "version 1.2.3 · shard 0 of 4" in words(page)


EVIL = "\"'><script>alert(1)</script><b onclick=x>&amp;\u202e"


def test_nothing_from_outside_becomes_markup() -> None:
    allowance = Allowance(EVIL, EVIL, 1, 1, 0, "credits", account_name=EVIL, allowance_name=EVIL)
    snapshots = [
        up(EVIL, allowance, vendor=EVIL),
        down("other", PollFailure(FailureReason.AUTH, EVIL)),
    ]
    info = PageInfo(EVIL, "/" + EVIL, EVIL)
    page = shown(snapshots, b"name=%22%3E%3Cscript%3E&vendor=%27%3E", info)
    everything = [*page.iter(), *shown(snapshots, b"", info).iter()]
    assert not [element for element in everything if element.tag in {"script", "b"}]
    assert not [name for element in everything for name in element.attrib if name.startswith("on")]
    assert names(shown(snapshots, b"", info)) == [EVIL, "other"]


@given(st.binary())
def test_any_query_gives_a_page(query: bytes) -> None:
    assert shown(MIXED, query).xpath("//h1")


def test_a_query_of_too_many_fields_chooses_nothing() -> None:
    assert len(names(shown(MIXED, b"state=up&" + b"x=1&" * 50))) == 5


def test_text_that_utf8_cannot_hold_does_no_harm() -> None:
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


TEXT = ("text", "quiet", "link", "plenty", "warning", "critical")


@pytest.mark.parametrize(
    ("scheme", "name", "ground"),
    list(itertools.product(("light", "dark"), TEXT, ("page", "panel"))),
)
def test_text_stands_out_as_wcag_asks(scheme: str, name: str, ground: str) -> None:
    colours = {"light": LIGHT, "dark": DARK}[scheme]
    assert contrast(colours[name], colours[ground]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_edges_of_fields_and_bars_stand_out_as_wcag_asks(colours: dict[str, str]) -> None:
    assert contrast(colours["line"], colours["page"]) >= 3


def test_the_page_may_load_its_own_style_and_nothing_else() -> None:
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
def test_a_test_without_its_program_fails_in_continuous_integration(
    environ: dict[str, str], outcome: type[Exception]
) -> None:
    with pytest.raises(outcome, match="nobody-s-program is not installed"):
        program("nobody-s-program", {"PATH": "/usr/bin", **environ})


async def no_reload() -> str:  # pragma: no cover  nobody asks for one here
    return "not in this test"


@contextmanager
def served(snapshots: list[TargetSnapshot]) -> Iterator[str]:
    """The page on a real socket, in a thread of its own."""
    store = StateStore()
    store.set_targets(snapshot.target for snapshot in snapshots)
    for snapshot in snapshots:
        if snapshot.state.last_poll:
            store.record(snapshot.target.name, snapshot.state.last_poll)
    application = Application(MetricsCache(store, lambda: iter(())), store, no_reload, str, INFO)
    (socket,) = bound_sockets(["127.0.0.1:0"])
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with Server(application.handle).serving([socket]):
            await stop.wait()

    thread = Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        yield url_of(socket) + "/"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser(program("chromium")) as opened:
        yield opened


@pytest.mark.e2e
def test_a_browser_shows_the_page_without_a_complaint_and_without_scripts(tab: Browser) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    with served(MIXED) as url:
        tab.window(1200, 900)
        tab.open(url)
        assert tab.complaints() == []
        assert tab.names("meter") == [
            "eUrAcMe1 credits, share left",
            "4201 7201 Quarterly 1, share left",
        ]
    tab.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.e2e
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_scrolling_sideways(tab: Browser, scheme: str) -> None:
    long_name = "a-name-without-any-blank-" * 8
    with served([*MIXED, down(long_name[:190], PollFailure(FailureReason.AUTH, long_name))]) as url:
        tab.window(320, 700, scheme, mobile=True)
        tab.open(url)
        assert tab.value("document.documentElement.scrollWidth") == 320
        ground = tab.value("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 22, 29)"}[scheme]


@pytest.mark.e2e
def test_a_screen_reader_hears_what_everything_is(tab: Browser) -> None:
    with served(MANY) as url:
        tab.window(1200, 900)
        tab.open(url)
        assert tab.names("heading")[:2] == ["docusage-exporter", "target-00001"]
        assert tab.names("searchbox") == ["Name"]
        assert tab.names("combobox") == ["Vendor", "State"]
        assert tab.names("button") == ["Show"]
        assert tab.names("navigation") == ["Other pages", "Pages"]
        assert tab.names("search") == ["Targets"]


@pytest.mark.e2e
def test_the_keyboard_alone_filters(tab: Browser) -> None:
    with served(MIXED) as url:
        tab.window(1200, 900)
        tab.open(url)
        for _ in range(5):  # four links, then the field
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
    [(0.1, 0.5, "plenty"), (0.7, 0.2, "plenty"), (0.7, 0.8, "plenty"), (0.9, 0.5, "panel")],
)
def test_a_bar_is_filled_as_far_as_is_left(
    tab: Browser, across: float, down_from_top: float, name: str
) -> None:
    with served([up("acme-eu", PLENTY)]) as url:
        tab.window(800, 400)
        tab.open(url)
        x, y, width, height = tab.value(
            "(({x, y, width, height}) => [x, y, width, height])"
            "(document.querySelector('svg').getBoundingClientRect())"
        )
        assert tab.colour(x + width * across, y + height * down_from_top) == LIGHT[name]
