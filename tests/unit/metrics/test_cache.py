"""The cached response is always what rendering everything from scratch would give."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
import weakref
import zlib
from collections import UserDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fake_targets import POLL_RESULT, TIMEOUT, outcome, target
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from parsed_metrics import parsed

from exporter.metrics.cache import MetricsCache
from exporter.metrics.catalogue import BUILD, RELOAD_OK, RELOADED_AT
from exporter.metrics.exposition import Format, render, target_lines
from exporter.model import Anomaly, PollResult, Sample
from exporter.state.store import StateStore, TargetState
from exporter.vendors.affinda.metrics import CREDITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, ItemsView, Iterable

    from exporter.model import PollFailure

EXPORTER = "# HELP docusage_exporter_"  # where the targets' metrics end
FAST = 0.01  # seconds between two refreshes


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Exporter:
    """A cache over some targets, with a clock that stands still."""

    def __init__(self, names: Iterable[str] = ("one",)) -> None:
        self.clock = Clock()
        self.store = StateStore(self.clock)
        self.cache = MetricsCache(self.store, self.samples, self.clock)
        self.reload_succeeded = True
        self.set_targets(names)

    def samples(self) -> Iterable[Sample]:
        yield Sample(BUILD, ("1.2.3", "0123abcd", "3.14.0"), 1)
        yield Sample(RELOADED_AT, (), 1_780_000_000.5)
        yield Sample(RELOAD_OK, (), self.reload_succeeded)

    def set_targets(self, names: Iterable[str]) -> None:
        self.store.set_targets([target(name, poll={"interval": "1m"}) for name in names])

    def text(self, form: Format = Format.TEXT) -> str:
        return self.cache.body(form, gzipped=False).decode()

    def fresh_text(self) -> str:
        self.cache.invalidate()
        return self.text()

    def targets_from_scratch(self, form: Format) -> str:
        return render(map(target_lines, self.store.snapshots()), form).decode()


def credits_of_day(count: int) -> PollResult:
    return PollResult((Sample(CREDITS["organization"]["daily"], ("org",), count),))


NAMES = [f'target "{number}"' for number in range(6)]
RESULTS = st.sampled_from([POLL_RESULT, TIMEOUT]) | st.integers(0, 9).map(credits_of_day)
POLLS = st.dictionaries(st.sampled_from(NAMES), RESULTS)
RELOADS = st.lists(st.sampled_from(NAMES), unique=True)
WAITS = st.integers(1, 200)  # seconds; values expire after 180


@pytest.mark.parametrize("form", Format)
@given(steps=st.lists(POLLS | RELOADS | WAITS, max_size=8))
@examples(20)
def test_after_any_changes_the_page_equals_one_rendered_from_scratch(
    form: Format, steps: list[dict[str, PollResult | PollFailure] | list[str] | int]
) -> None:
    configured, exporter = NAMES, Exporter(NAMES)
    for step in steps:
        if isinstance(step, int):
            exporter.clock.now += step
        elif isinstance(step, list):
            configured = step
            exporter.set_targets(configured)
        else:
            for name in step.keys() & set(configured):
                exporter.store.record(name, outcome(step[name]))
        exporter.cache.invalidate()
        text = exporter.text(form)
        assert text.partition(EXPORTER)[0] == exporter.targets_from_scratch(form)
        assert gzip.decompress(exporter.cache.body(form, gzipped=True)).decode() == text


SHOWN = 'affinda_credits_available{target="one",organization="org"} 300\n'


def is_shown(text: str) -> bool:
    return SHOWN in text


def test_a_page_is_rendered_once_until_it_is_invalidated() -> None:
    exporter = Exporter()
    before = exporter.text()
    exporter.store.record("one", outcome())
    exporter.clock.now = 0.9
    assert exporter.text() == before
    assert is_shown(exporter.fresh_text())


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("gzipped", [False, True])
def test_a_body_is_made_once_for_many_scrapes(form: Format, *, gzipped: bool) -> None:
    cache = Exporter().cache
    assert cache.body(form, gzipped=gzipped) is cache.body(form, gzipped=gzipped)


def test_the_metrics_of_the_exporter_and_the_process_are_at_most_a_second_old() -> None:
    exporter = Exporter()
    before = exporter.text()
    exporter.reload_succeeded = False
    exporter.clock.now = 0.9
    assert exporter.text() == before
    exporter.clock.now = 1.0
    assert "docusage_exporter_config_last_reload_successful 0\n" in exporter.text()


def test_a_reload_shows_its_result_at_once() -> None:
    exporter = Exporter()
    exporter.text()
    exporter.reload_succeeded = False
    assert "docusage_exporter_config_last_reload_successful 0\n" in exporter.fresh_text()


def test_expired_values_disappear() -> None:
    exporter = Exporter()
    exporter.store.record("one", outcome())
    exporter.clock.now = 179
    assert is_shown(exporter.fresh_text())
    exporter.clock.now = 180
    assert not is_shown(exporter.fresh_text())
    assert 'docusage_target_up{target="one",vendor="acme"} 1\n' in exporter.text()


def test_the_exporter_is_ready_once_the_page_shows_a_poll_of_every_target() -> None:
    exporter = Exporter(["one", "two"])
    exporter.store.record("one", outcome())
    assert not exporter.cache.is_ready
    exporter.store.record("two", outcome(TIMEOUT))
    assert not exporter.cache.is_ready
    exporter.cache.invalidate()
    assert exporter.cache.is_ready


def test_a_page_ends_with_the_exporter_and_its_process() -> None:
    text = Exporter().text()
    build = (
        'docusage_exporter_build_info{version="1.2.3",revision="0123abcd",pythonversion="3.14.0"}'
    )
    assert f"{build} 1\n" in text
    assert "docusage_exporter_config_last_reload_success_timestamp_seconds 1780000000.5\n" in text
    names = {name for name, *_ in parsed(text, Format.TEXT)}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


@pytest.mark.parametrize("form", Format)
def test_a_whole_page_can_be_parsed(form: Format) -> None:
    exporter = Exporter()
    exporter.store.record("one", outcome())
    names = [name for name, *_ in parsed(exporter.text(form), form)]
    assert len(names) == len(set(names)) > 20
    assert exporter.text(form).endswith("# EOF\n") is (form is Format.OPENMETRICS)


@asynccontextmanager
async def refreshing(cache: MetricsCache, interval: float = FAST) -> AsyncIterator[None]:
    task = asyncio.create_task(cache.refresh_loop(interval))
    yield
    task.cancel()
    assert await asyncio.gather(task, return_exceptions=True)


async def until_shown(exporter: Exporter, part: str) -> None:
    async with asyncio.timeout(5):
        while part not in exporter.text():  # noqa: ASYNC110  a refresh notifies nobody
            await asyncio.sleep(FAST)


def test_changes_show_without_a_scrape_that_renders_them(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    compressobj = zlib.compressobj

    def recording(*arguments: Any) -> object:  # noqa: ANN401  as zlib takes them
        threads.append(threading.current_thread().name)
        return compressobj(*arguments)

    monkeypatch.setattr(zlib, "compressobj", recording)

    async def main() -> None:
        exporter = Exporter()
        async with refreshing(exporter.cache):
            exporter.cache.body(Format.OPENMETRICS, gzipped=True)
            exporter.store.record("one", outcome())
            await until_shown(exporter, SHOWN)
            body = exporter.cache.body(Format.OPENMETRICS, gzipped=True)
        assert is_shown(gzip.decompress(body).decode())

    asyncio.run(main())
    assert threads == ["MainThread", "metrics_0"]


class Threads(UserDict[Anomaly, int]):
    """Records the thread of whoever renders them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def items(self) -> ItemsView[Anomaly, int]:
        self.names.append(threading.current_thread().name)
        return super().items()


@pytest.mark.parametrize(("is_rendered", "thread"), [(True, "MainThread"), (False, "metrics_0")])
def test_a_target_is_rendered_when_it_has_been_polled_or_else_by_the_thread(
    *, is_rendered: bool, thread: str
) -> None:
    async def main() -> None:
        exporter, threads = Exporter(), Threads()
        exporter.text()
        async with refreshing(exporter.cache):
            exporter.store.set_targets([target("new")], {"new": TargetState(anomalies=threads)})
            if is_rendered:
                exporter.cache.render(exporter.store.snapshots()[0])
            await until_shown(exporter, 'target="new"')
            exporter.fresh_text()
        assert threads.names == [thread]

    asyncio.run(main())


def test_nothing_of_a_removed_target_is_kept() -> None:
    exporter, anomalies = Exporter(), UserDict[Anomaly, int]()
    targets = [target("one"), target("two")]
    exporter.store.set_targets(targets, {"two": TargetState(anomalies=anomalies)})
    assert 'target="two"' in exporter.fresh_text()
    reference = weakref.ref(anomalies)
    del anomalies
    exporter.set_targets(["one"])
    assert 'target="two"' not in exporter.fresh_text()
    gc.collect()
    assert reference() is None


def test_an_unchanged_page_is_not_rendered_again() -> None:
    async def main() -> None:
        exporter = Exporter()
        async with refreshing(exporter.cache):
            before = exporter.cache.body(Format.TEXT, gzipped=True)
            await asyncio.sleep(5 * FAST)
            assert exporter.cache.body(Format.TEXT, gzipped=True) is before

    asyncio.run(main())


class SlowAnomalies(UserDict[Anomaly, int]):
    """Holds up whoever renders them."""

    def __init__(self) -> None:
        super().__init__()
        self.is_rendering = threading.Event()
        self.may_go_on = threading.Event()

    def items(self) -> ItemsView[Anomaly, int]:
        self.is_rendering.set()
        assert self.may_go_on.wait(5)
        return super().items()


@pytest.mark.parametrize("is_scraped_meanwhile", [False, True])
def test_a_reload_while_the_thread_renders_is_not_undone_by_its_result(
    *, is_scraped_meanwhile: bool
) -> None:
    async def main() -> None:
        exporter, slow = Exporter(), SlowAnomalies()
        exporter.text()
        async with refreshing(exporter.cache, 20 * FAST):
            exporter.store.set_targets([target("old")], {"old": TargetState(anomalies=slow)})
            assert await asyncio.to_thread(slow.is_rendering.wait, 5)
            exporter.set_targets(["new"])
            exporter.cache.invalidate()
            if is_scraped_meanwhile:
                exporter.text()
            slow.may_go_on.set()
            await asyncio.sleep(5 * FAST)  # the thread is done, the next refresh not yet due
            assert 'target="old"' not in exporter.text()
            assert 'target="new"' in exporter.text()

    asyncio.run(main())
