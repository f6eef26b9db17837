"""The page over many polls: what is kept and joined is what rendering all of it anew would give."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from fake_targets import READING, TIMEOUT, outcome, target
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.exposition import Format, document, target_lines
from exporter.page import Page
from exporter.records import Reading, Sample
from exporter.snapshot import Snapshot
from exporter.vendors.affinda import CREDITS

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.records import Failure


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Pages:
    """A page over some targets, and a clock that goes on by a second with each look at it."""

    def __init__(self, names: Collection[str]) -> None:
        self.clock = Clock()
        self.snapshot = Snapshot(self.clock)
        self.page = Page(self.snapshot, tuple, self.clock)
        self.adopt(names)

    def adopt(self, names: Collection[str]) -> None:
        self.snapshot.adopt([target(name) for name in names])

    def text(self) -> str:
        self.clock.now += 1
        return self.page.body(Format.TEXT, gzipped=False).decode()

    def expected(self) -> str:
        return document(map(target_lines, self.snapshot.entries()), Format.TEXT).decode()


def credits_of_day(count: int) -> Reading:
    return Reading((Sample(CREDITS["organization"]["daily"], ("org",), count),))


# A poll of a target by its number, or the targets that a reload leaves.
RESULTS = st.sampled_from([READING, TIMEOUT]) | st.integers(0, 9).map(credits_of_day)
POLLS = st.tuples(st.integers(0, 249), RESULTS)
RELOADS = st.sets(st.integers(0, 249), max_size=3).map(lambda gone: {*range(250)} - gone)


@given(st.lists(st.lists(POLLS, max_size=60) | RELOADS, max_size=6))
@settings(max_examples=20)
def test_however_it_came_about_a_page_is_as_if_rendered_at_once(
    steps: list[list[tuple[int, Reading | Failure]] | set[int]],
) -> None:
    pages = Pages([f"target {number}" for number in range(250)])
    for step in steps:
        if isinstance(step, set):
            pages.adopt([f"target {number}" for number in sorted(step)])
        known = {entry.target.name for entry in pages.snapshot.entries()}
        for number, result in step if isinstance(step, list) else ():
            if f"target {number}" in known:
                pages.snapshot.publish(f"target {number}", outcome(result))
        assert pages.text().startswith(pages.expected())


def test_targets_that_change_places_keep_their_own_values() -> None:
    pages = Pages(["a", "b", "c"])
    for count, name in enumerate("abc"):
        pages.snapshot.publish(name, outcome(credits_of_day(count)))
    pages.text()
    pages.adopt(["b", "a", "c"])
    found = re.findall(r'affinda_credits_daily\{target="(.)".*\} (.)', pages.text())
    assert found == [("b", "1"), ("a", "0"), ("c", "2")]


@pytest.mark.parametrize("count", [1, 99, 100, 101, 200])
def test_every_target_is_on_the_page_once(count: int) -> None:
    pages = Pages([f"{number}" for number in range(count)])
    found = re.findall(r'docusage_polls_total\{target="(.*?)"', pages.text())
    assert found == [f"{number}" for number in range(count)]


def polls(pages: Pages) -> str:
    """How often `one` was polled, says the page while the clock stands."""
    text = pages.page.body(Format.TEXT, gzipped=False).decode()
    return str(re.findall(r'docusage_polls_total\{target="one".*\} (.*)', text)[0])


def test_a_page_can_be_renewed_before_it_is_old() -> None:
    pages = Pages(["one"])
    assert polls(pages) == "0"
    pages.snapshot.publish("one", outcome())
    assert polls(pages) == "0"
    pages.page.renew()
    assert polls(pages) == "1"


def test_what_was_looked_up_earlier_never_replaces_what_was_looked_up_later() -> None:
    pages = Pages(["one"])
    pages.clock.now = 5
    assert polls(pages) == "0"
    pages.snapshot.publish("one", outcome())
    pages.clock.now = 4.9
    pages.page.renew()
    assert polls(pages) == "0"


def test_a_page_is_kept_fresh_although_nobody_asks_for_it() -> None:
    async def main() -> None:
        pages = Pages(["one"])
        assert polls(pages) == "0"
        pages.snapshot.publish("one", outcome())
        keeping = asyncio.create_task(pages.page.keep_fresh())
        async with asyncio.timeout(5):
            while polls(pages) != "1":  # noqa: ASYNC110  nothing tells of a renewed page
                await asyncio.sleep(0)
        keeping.cancel()
        assert await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(main())
