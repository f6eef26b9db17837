"""The page over many polls: what is kept and joined is what rendering all of it anew would give."""

from __future__ import annotations

import asyncio
import gzip
import re
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from fake_targets import POLL_RESULT, TIMEOUT, outcome, target
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed_metrics import parsed

from exporter.metrics.cache import MetricsCache
from exporter.metrics.catalogue import BUILD, RELOAD_OK, RELOADED_AT
from exporter.metrics.exposition import Format, document, target_lines
from exporter.model import PollResult, Sample
from exporter.state.store import StateStore
from exporter.vendors.affinda.metrics import CREDITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from exporter.model import PollFailure


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def program() -> Iterable[Sample]:
    yield Sample(BUILD, ("1.2.3",), 1)
    yield Sample(RELOADED_AT, (), 1_780_000_000.5)
    yield Sample(RELOAD_OK, (), 1)


class Pages:
    """A page over some targets, and a clock that stands."""

    def __init__(self, names: Iterable[str] = ("one",)) -> None:
        self.clock = Clock()
        self.store = StateStore(self.clock)
        self.page = MetricsCache(self.store, program, self.clock)
        self.set_targets(names)

    def set_targets(self, names: Iterable[str]) -> None:
        self.store.set_targets([target(name, poll={"interval": "1m"}) for name in names])

    def text(self) -> str:
        return bytes(self.page.body(Format.TEXT, gzipped=False)).decode()

    def next_text(self) -> str:
        self.clock.now += 1
        return self.text()

    def expected(self) -> str:
        return document(map(target_lines, self.store.snapshots()), Format.TEXT).decode()


def credits_of_day(count: int) -> PollResult:
    return PollResult((Sample(CREDITS["organization"]["daily"], ("org",), count),))


NAMES = [f'target "{number}"' for number in range(102)]
SOME = NAMES[:3] + NAMES[-3:]
RESULTS = st.sampled_from([POLL_RESULT, TIMEOUT]) | st.integers(0, 9).map(credits_of_day)
FEW_POLLS = st.dictionaries(st.sampled_from(SOME), RESULTS)
ALL_POLLED = RESULTS.map(lambda result: dict.fromkeys(NAMES, result))
REMOVED = st.sampled_from(NAMES)


@given(st.lists(FEW_POLLS | ALL_POLLED | REMOVED, max_size=5))
@settings(max_examples=20, deadline=None)
def test_however_it_came_about_a_page_is_as_if_rendered_at_once(
    steps: list[dict[str, PollResult | PollFailure] | str],
) -> None:
    known = NAMES
    pages = Pages(known)
    text = pages.text()
    for step in steps:
        if isinstance(step, str):
            known = [name for name in known if name != step]
            pages.set_targets(known)
        else:
            for name in step.keys() & set(known):
                pages.store.record(name, outcome(step[name]))
        text = pages.next_text()
    assert text.startswith(pages.expected())


def test_targets_that_change_places_keep_their_own_values() -> None:
    pages = Pages(["a", "b", "c"])
    for count, name in enumerate("abc"):
        pages.store.record(name, outcome(credits_of_day(count)))
    pages.text()
    pages.set_targets(["b", "a", "c"])
    found = re.findall(r'affinda_credits_daily\{target="(.)".*\} (.)', pages.next_text())
    assert found == [("b", "1"), ("a", "0"), ("c", "2")]


@pytest.mark.parametrize("count", [1, 99, 100, 101, 200])
def test_every_target_is_on_the_page_once(count: int) -> None:
    pages = Pages([f"{number}" for number in range(count)])
    found = re.findall(r'docusage_target_polls_total\{target="(.*?)"', pages.text())
    assert found == [f"{number}" for number in range(count)]


def is_shown(text: str) -> bool:
    return 'affinda_credits_available{target="one",organization="org"} 300\n' in text


def test_a_page_is_made_anew_once_it_is_a_second_old() -> None:
    pages = Pages()
    before = pages.text()
    pages.store.record("one", outcome())
    pages.clock.now = 0.99
    assert pages.text() == before
    assert not is_shown(before)
    pages.clock.now = 1.0
    assert is_shown(pages.text())


def test_a_page_that_is_not_old_is_not_made_again() -> None:
    pages = Pages()
    for form in Format:
        for gzipped in (False, True):
            first = pages.page.body(form, gzipped=gzipped)
            assert pages.page.body(form, gzipped=gzipped) is first


def test_an_expired_page_is_made_anew_at_once() -> None:
    pages = Pages()
    pages.store.record("one", outcome())
    assert is_shown(pages.text())
    pages.store.set_targets([])
    assert is_shown(pages.text())
    pages.page.renew()
    assert "one" not in pages.text()


def test_values_are_gone_a_second_after_they_became_stale() -> None:
    pages = Pages()
    pages.store.record("one", outcome())
    pages.clock.now = 179
    assert is_shown(pages.text())
    pages.clock.now = 180
    assert not is_shown(pages.text())
    assert 'docusage_target_up{target="one",vendor="acme"} 1\n' in pages.text()


@pytest.mark.parametrize("form", Format)
def test_a_gzipped_page_is_the_page(form: Format) -> None:
    pages = Pages()
    packed = bytes(pages.page.body(form, gzipped=True))
    assert gzip.decompress(packed) == bytes(pages.page.body(form, gzipped=False))
    assert packed[:4] == b"\x1f\x8b\x08\0"


def test_the_program_tells_of_itself() -> None:
    text = Pages().text()
    assert 'docusage_exporter_build_info{version="1.2.3"} 1\n' in text
    assert "docusage_exporter_config_last_reload_success_timestamp_seconds 1780000000.5\n" in text
    assert "docusage_exporter_config_last_reload_successful 1\n" in text
    names = {name for name, *_ in parsed(text, Format.TEXT)}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


@pytest.mark.parametrize("form", Format)
def test_a_whole_page_can_be_parsed(form: Format) -> None:
    pages = Pages()
    pages.store.record("one", outcome())
    text = bytes(pages.page.body(form, gzipped=False)).decode()
    names = [name for name, *_ in parsed(text, form)]
    assert len(names) == len(set(names)) > 20
    assert text.endswith("# EOF\n") is (form is Format.OPENMETRICS)


def test_what_was_looked_up_earlier_never_replaces_what_was_looked_up_later() -> None:
    pages = Pages()
    pages.clock.now = 5
    before = pages.text()
    pages.store.record("one", outcome())
    pages.clock.now = 4.9
    pages.page.renew()
    assert pages.text() == before


@asynccontextmanager
async def kept_fresh(page: MetricsCache) -> AsyncIterator[None]:
    keeping = asyncio.create_task(page.refresh_loop())
    await asyncio.sleep(0)
    yield
    keeping.cancel()
    assert await asyncio.gather(keeping, return_exceptions=True)


def test_a_page_is_kept_fresh_without_a_scrape_that_has_to_wait_for_it() -> None:
    async def main() -> None:
        pages = Pages()
        async with kept_fresh(pages.page):
            pages.store.record("one", outcome())
            pages.clock.now = 9.9
            assert not is_shown(pages.text())
            async with asyncio.timeout(5):
                while not is_shown(pages.text()):  # noqa: ASYNC110  nothing tells of a renewed page
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_a_page_that_cannot_be_kept_fresh_is_renewed_by_the_scrape() -> None:
    async def main() -> None:
        pages = Pages()
        async with kept_fresh(pages.page):
            pages.store.record("one", outcome())
            pages.clock.now = 10.0
            assert is_shown(pages.text())

    asyncio.run(main())


def test_a_page_that_scrapers_take_is_made_anew_after_a_change_before_they_ask() -> None:
    makers: list[str] = []

    def program() -> Iterable[Sample]:
        makers.append(threading.current_thread().name)
        return ()

    async def main() -> None:
        store = StateStore()
        store.set_targets([target("one")])
        page = MetricsCache(store, program)
        async with kept_fresh(page):
            page.body(Format.OPENMETRICS, gzipped=True)
            page.body(Format.OPENMETRICS, gzipped=False)
            store.record("one", outcome())
            async with asyncio.timeout(5):
                while "page_0" not in makers:  # noqa: ASYNC110  nothing tells of a renewed page
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)
            shown = gzip.decompress(bytes(page.body(Format.OPENMETRICS, gzipped=True)))
        assert is_shown(shown.decode())

    asyncio.run(main())
    assert makers == ["MainThread", "MainThread", "page_0"]
