from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import elapsed, in_virtual_time

from exporter.app import ServeOptions, Service, load_config
from exporter.client.client import HttpClient
from exporter.config.models import Http
from exporter.demo.accounts import Accounts, Group, Plan
from exporter.demo.vendors import Vendors
from exporter.logging import fields
from exporter.model import (
    Allowance,
    Anomaly,
    FailureReason,
    PollError,
    PollFailure,
    PollOutcome,
    PollResult,
    Sample,
)
from exporter.polling.poll import Limits, PollTarget
from exporter.polling.scheduler import PollScheduler, ScheduleState
from exporter.server.sockets import bound_sockets, url_of
from exporter.state.daily_usage import UsageHistory
from exporter.state.persistence import StateWriter, Storage
from exporter.state.schema import dump_state, load_state
from exporter.state.storage import NullStorage, open_storage
from exporter.state.store import StateStore, TargetSnapshot, TargetState
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from exporter.config.models import Target
    from exporter.vendors.base import Transport

NOW = 1_767_571_200.0  # 2026-01-05 00:00 UTC
METRICS = {metric.name: metric for metric in VENDORS["xtracta"].metrics}
POLL_RESULT = PollResult(
    (Sample(METRICS["xtracta_documents_used"], ("456", "7"), 40),),
    (
        Allowance(
            "456",
            "7",
            100,
            40,
            60,
            "documents",
            account_name="Acme",
            allowance_name="Yearly",
            burn_per_day=1.5,
            exhaustion=NOW + 9,
            cumulative_only=True,
        ),
    ),
    (Anomaly.UNKNOWN_FIELD,),
)
STATE = TargetState(
    last_poll=PollOutcome(POLL_RESULT, 0.25, 2, NOW - 60, NOW + 840),
    result=POLL_RESULT,
    succeeded_at=NOW - 60,
    stale_at=1000.0 + 45 * 60 - 60,
    daily_usage={("456", "7"): UsageHistory(NOW - 60, 40, (3, 4, 5))},
)
REFUSED = PollOutcome(
    PollFailure(FailureReason.AUTH, "HTTP status 401"), 0.5, 1, NOW - 30, NOW + 7000
)
CONFIG = """
targets:
  - {{name: nz, vendor: xtracta, base_url: "{url}", {key}, groups: {groups}{more}}}
"""


def configured(folder: Path, environ: Mapping[str, str] | None = None, **changes: str) -> Target:
    """The target of CONFIG, with changes."""
    usual = {"key": "api_key: demo-key-1-not-real", "groups": "own", "more": ""}
    path = folder / "config.yaml"
    path.write_text(CONFIG.format_map({"url": "http://127.0.0.1:1"} | usual | changes))
    return load_config(path, environ or {}).targets[0]


@pytest.fixture(name="target", scope="module")
def fixture_target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return configured(tmp_path_factory.mktemp("config"))


def contents(target: Target, state: TargetState = STATE) -> bytes:
    return dump_state(TargetSnapshot(target, state, is_stale=False))


# The contents of a file.


def test_what_was_written_is_restored(target: Target) -> None:
    assert load_state(contents(target), target, NOW, 1000.0) == STATE


def test_a_failure_is_kept_beside_the_last_good_reading(target: Target) -> None:
    state = replace(STATE, last_poll=REFUSED, consecutive_failures=3)
    assert load_state(contents(target, state), target, NOW, 1000.0) == state


def test_a_target_that_never_succeeded_keeps_its_failure(target: Target) -> None:
    kept = load_state(
        contents(target, TargetState(last_poll=REFUSED, consecutive_failures=3)),
        target,
        NOW,
        1000.0,
    )
    assert kept is not None
    assert (kept.last_poll, kept.result, kept.succeeded_at) == (REFUSED, None, None)


def test_counters_begin_anew(target: Target) -> None:
    state = replace(STATE, polls=9, requests=18)
    assert load_state(contents(target, state), target, NOW, 1000.0) == STATE


@pytest.mark.parametrize(("age", "is_stale"), [(45 * 60 - 1, False), (45 * 60, True)])
def test_a_reading_older_than_stale_after_is_not_served(
    target: Target, age: float, *, is_stale: bool
) -> None:
    state = replace(STATE, succeeded_at=NOW - age)
    kept = load_state(contents(target, state), target, NOW, 1000.0)
    assert kept is not None
    store = StateStore(clock=lambda: 1000.0)
    store.set_targets([target], {"nz": kept})
    assert [snapshot.is_stale for snapshot in store.snapshots()] == [is_stale]
    assert all(snapshot.state.last_poll for snapshot in store.snapshots())


def test_after_the_clock_was_put_back_nothing_is_restored(target: Target) -> None:
    assert load_state(contents(target), target, NOW - 60 - 15 * 60, 0.0) is not None
    assert load_state(contents(target), target, NOW - 61 - 15 * 60, 0.0) is None


def test_a_success_ahead_of_the_clock_is_no_younger_than_new(target: Target) -> None:
    kept = load_state(contents(target), target, NOW - 300, 1000.0)
    assert kept is not None
    assert kept.stale_at == 1000.0 + 45 * 60


@pytest.mark.parametrize(
    "change",
    [
        {"groups": "all"},
        {"key": "api_key: demo-key-2-not-real"},
        {"key": "api_key_env: KEY"},
        {"more": ", alerts: {warning_ratio: 0.3}"},
        {"more": ", poll: {interval: 5m}"},
        {"url": "http://127.0.0.1:2"},
    ],
    ids=str,
)
def test_a_changed_target_does_not_inherit(
    target: Target, tmp_path: Path, change: dict[str, str]
) -> None:
    changed = configured(tmp_path, {"KEY": "demo-key-1-not-real"}, **change)
    assert load_state(contents(target), changed, NOW, 0.0) is None


def test_a_key_in_the_environment_that_changes_makes_another_target(tmp_path: Path) -> None:
    first, second = (
        configured(tmp_path, {"KEY": f"demo-key-{number}-not-real"}, key="api_key_env: KEY")
        for number in (1, 2)
    )
    assert load_state(contents(first), second, NOW, 0.0) is None
    assert load_state(contents(second), second, NOW, 0.0) is not None


def test_no_file_holds_a_key(target: Target) -> None:
    assert b"demo-key" not in contents(target)
    assert json.loads(contents(target))["identity"] != json.loads(contents(target))["identity"]


@pytest.mark.parametrize(
    ("last", "rewritten", "due"),
    [(REFUSED, True, NOW), (REFUSED, False, NOW + 7000), (STATE.last_poll, True, NOW + 840)],
    ids=["refused, new key", "refused, same key", "accepted, new key"],
)
def test_a_new_key_file_is_tried_at_once_after_a_refusal(
    tmp_path: Path, last: PollOutcome, *, rewritten: bool, due: float
) -> None:
    key = tmp_path / "key"
    key.write_text("demo-key-1-not-real\n")
    key.chmod(0o600)
    target = configured(tmp_path, key=f"api_key_file: {key}")
    kept = contents(target, replace(STATE, last_poll=last))
    if rewritten:
        key.write_text("demo-key-3-also-not-real\n")
    state = load_state(kept, target, NOW, 1000.0)
    assert state is not None
    assert state.last_poll == last._replace(next_at=due)


def changed(document: bytes, **members: object) -> bytes:
    return json.dumps(json.loads(document) | members).encode()


SAMPLE = ["xtracta_documents_used", ["456", "7"], 40]


@pytest.mark.parametrize(
    "members",
    [
        {"version": 2},
        {"salt": "no hexadecimal"},
        {"salt": "00" * 17},
        {"reading": None},
        {"seen": [["456", "7", [NOW, 40, []]]]},
        {"reading": {"samples": [["gone", [], 1]], "allowances": [], "anomalies": []}},
        {"reading": {"samples": [[SAMPLE[0], [], 1]], "allowances": [], "anomalies": []}},
        {"reading": {"samples": [SAMPLE, SAMPLE], "allowances": [], "anomalies": []}},
        {"succeeded_at": "yesterday"},
        {"surplus": 1},
    ],
    ids=str,
)
def test_contents_that_make_no_sense_are_damaged(
    target: Target, members: dict[str, object]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  its words are for nobody
        load_state(changed(contents(target), **members), target, NOW, 0.0)


MOMENTS = st.floats(NOW - 1e8, NOW)
FIGURES = st.integers(0, 2**53)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FAILURES = st.builds(
    PollFailure, st.sampled_from(FailureReason), TEXTS, st.none() | st.floats(0, 1e6)
)
ALLOWANCES = st.builds(
    Allowance,
    TEXTS,
    TEXTS,
    *(FIGURES, FIGURES, FIGURES),
    TEXTS,
    account_name=TEXTS,
    allowance_name=TEXTS,
    burn_per_day=st.none() | st.floats(0, 1e15),
    exhaustion=st.none() | MOMENTS,
    start=st.none() | MOMENTS,
    end=st.none() | MOMENTS,
    cumulative_only=st.booleans(),
)
SAMPLES = st.builds(
    lambda metric, number, value: Sample(
        metric, tuple(f"{number}{label}" for label in metric.labels[1:]), value
    ),
    st.sampled_from(list(METRICS.values())),
    st.integers(),
    FIGURES | st.floats(allow_nan=False, allow_infinity=False),
)
READINGS = st.builds(
    PollResult,
    st.lists(SAMPLES, max_size=5, unique_by=lambda sample: sample[:2]).map(tuple),
    st.lists(ALLOWANCES, max_size=3, unique_by=lambda each: (each.account, each.allowance)).map(
        tuple
    ),
    st.lists(st.sampled_from(Anomaly), max_size=3).map(tuple),
)
USES = st.builds(
    UsageHistory, MOMENTS, FIGURES, st.lists(FIGURES, min_size=1, max_size=30).map(tuple)
)


@st.composite
def states(draw: st.DrawFn) -> TargetState:
    poll_result = draw(st.none() | READINGS)
    succeeded_at = draw(MOMENTS) if poll_result else None
    result = poll_result if poll_result and draw(st.booleans()) else draw(FAILURES)
    requests = draw(st.integers(0, 1000))
    last = PollOutcome(result, draw(st.floats(0, 1e4)), requests, draw(MOMENTS), draw(MOMENTS))
    return TargetState(
        last_poll=last,
        result=poll_result,
        succeeded_at=succeeded_at,
        stale_at=45 * 60 - (NOW - (succeeded_at or 0.0)),
        consecutive_failures=draw(st.integers(0, 1000)),
        daily_usage=draw(st.dictionaries(st.tuples(TEXTS, TEXTS), USES, max_size=3)),
    )


@given(state=states())
def test_whatever_is_written_is_restored(target: Target, state: TargetState) -> None:
    assert load_state(contents(target, state), target, NOW, 0.0) == state


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_a_state_or_damaged(target: Target, junk: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  its words are for nobody
        load_state(junk, target, NOW, 0.0)


@given(data=st.data())
def test_a_byte_changed_anywhere_is_a_state_or_damaged(target: Target, data: st.DataObject) -> None:
    whole = contents(target)
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + data.draw(st.binary(max_size=2)) + whole[at + 1 :]
    try:
        state = load_state(broken, target, NOW, 0.0)
    except ValueError:
        return
    assert state is None or state.last_poll is not None


# The folder.


def stored(folder: Path) -> Storage:
    return Storage(folder, now=lambda: NOW, clock=lambda: 1000.0)


def test_a_saved_target_is_loaded_and_an_unknown_one_is_not(target: Target, tmp_path: Path) -> None:
    storage = stored(tmp_path / "new" / "folder")
    assert storage.load([target]) == {}
    storage.save(TargetSnapshot(target, STATE, is_stale=False))
    assert storage.load([target]) == {"nz": STATE}


def test_only_its_owner_can_read_a_file_and_no_other_file_is_left(
    target: Target, tmp_path: Path
) -> None:
    storage = stored(tmp_path)
    storage.save(TargetSnapshot(target, STATE, is_stale=False))
    storage.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_set_aside_with_a_warning(
    target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = stored(tmp_path)
    storage.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert storage.load([target]) == {}
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]
    assert caplog.messages == [f"kept state is damaged and not used; see {file.stem}.damaged"]
    assert storage.load([target]) == {}


@pytest.mark.parametrize(
    ("replace", "problem"), [(os.mkdir, "Is a directory"), (os.mkfifo, "Not a regular file")]
)
def test_what_is_no_file_is_a_warning_without_waiting_for_a_writer(
    target: Target,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    replace: Callable[[Path], None],
    problem: str,
) -> None:
    storage = stored(tmp_path)
    storage.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    file.unlink()
    replace(file)
    assert storage.load([target]) == {}
    assert caplog.messages == [f"kept state cannot be read: {problem}"]


def test_a_folder_that_cannot_be_read_is_one_warning(
    target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").write_text("none at all")
    targets = [target.model_copy(update={"name": name}) for name in "abc"]
    assert stored(tmp_path / "folder").load(targets) == {}
    assert caplog.messages == ["kept state cannot be read: Not a directory"]


def test_a_write_that_fails_leaves_the_file_as_it_was(target: Target, tmp_path: Path) -> None:
    storage = stored(tmp_path)
    storage.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    file.with_suffix(".new").mkdir()
    with pytest.raises(IsADirectoryError):
        storage.save(TargetSnapshot(target, TargetState(last_poll=REFUSED), is_stale=False))
    assert storage.load([target]) == {"nz": STATE}


# Reading and writing beside the polls.


class Disk(Storage):
    """Notes what is written, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.saved: list[str] = []

    def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:
        return {target.name: STATE for target in targets}

    def save(self, snapshot: TargetSnapshot) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.saved.append(f"{snapshot.target.name} {snapshot.state.consecutive_failures}")


class Noted(Storage):
    """A storage that notes whose file it was told to write."""

    def __init__(self, storage: Storage) -> None:
        self.tried: list[str] = []
        self._storage = storage

    def save(self, snapshot: TargetSnapshot) -> None:
        self.tried.append(snapshot.target.name)
        self._storage.save(snapshot)


def entry_of(target: Target, name: str, failed: int = 0) -> TargetSnapshot:
    named = target.model_copy(update={"name": name})
    return TargetSnapshot(named, replace(STATE, consecutive_failures=failed), is_stale=False)


@asynccontextmanager
async def keeping(disk: Storage, rest: float = 0.0) -> AsyncIterator[StateWriter]:
    """A keeper at work, stopped at the end."""
    open_storage = StateWriter(disk, rest)
    running = asyncio.create_task(open_storage.run())
    yield open_storage
    running.cancel()
    await asyncio.wait([running])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  it is another thread that is waited for
            await asyncio.sleep(0)


def test_a_target_that_changes_often_is_written_once_a_round(target: Target) -> None:
    disk = Disk()

    async def main() -> None:
        async with keeping(disk) as open_storage:
            for snapshot in (
                entry_of(target, "a", 1),
                entry_of(target, "b"),
                entry_of(target, "a", 2),
            ):
                open_storage.keep(snapshot)
            await until(lambda: len(disk.saved) == 2)
            open_storage.keep(entry_of(target, "a", 3))
            await until(lambda: len(disk.saved) == 3)

    asyncio.run(main())
    assert disk.saved == ["a 2", "b 0", "a 3"]


def test_what_is_left_is_written_at_the_end(target: Target) -> None:
    disk = Disk()

    async def main() -> None:
        async with keeping(disk, rest=3600.0) as open_storage:
            open_storage.keep(entry_of(target, "a"))
            await until(lambda: disk.saved)
            open_storage.keep(entry_of(target, "b"))

    asyncio.run(main())
    assert disk.saved == ["a 0", "b 0"]


def test_a_full_disk_is_one_warning_and_what_could_not_be_written_is_later(
    target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    disk = Disk(failures=4)  # both, in two rounds

    async def main() -> None:
        async with keeping(disk) as open_storage:
            open_storage.keep(entry_of(target, "a"))
            open_storage.keep(entry_of(target, "b"))
            await until(lambda: len(disk.saved) == 2)

    asyncio.run(main())
    assert disk.saved == ["a 0", "b 0"]
    assert caplog.messages == [
        "state cannot be kept, serving goes on: No space left on device",
        "state is kept again",
    ]


def test_a_file_that_cannot_be_written_keeps_no_other_target_from_being_kept(
    target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = stored(tmp_path)
    bad, good = entry_of(target, "bad"), entry_of(target, "good")
    storage.save(bad)
    [file] = tmp_path.iterdir()
    file.with_suffix(".new").mkdir()
    dump_state = Noted(storage)

    async def main() -> None:
        async with keeping(dump_state) as open_storage:
            open_storage.keep(bad)
            open_storage.keep(good)
            await until(lambda: dump_state.tried.count("bad") == 3)

    asyncio.run(main())
    assert storage.load([good.target]) == {"good": STATE}
    assert dump_state.tried.count("good") == 1
    [warning] = caplog.records
    assert fields(warning) | {"ts": ""} == {
        "ts": "",
        "level": "warn",
        "msg": "state cannot be kept, serving goes on: Is a directory",
        "target": "bad",
        "vendor": "xtracta",
        "targets": 1,
    }


def test_a_newer_state_takes_the_place_of_one_that_could_not_be_written(target: Target) -> None:
    disk = Disk(failures=10**6)

    async def main() -> None:
        async with keeping(disk) as open_storage:
            open_storage.keep(entry_of(target, "a", 1))
            await until(lambda: disk.failures < 10**6)
            open_storage.keep(entry_of(target, "a", 2))
            disk.failures = 0
            await until(lambda: disk.saved)

    asyncio.run(main())
    assert disk.saved == ["a 2"]


def test_a_keeper_loads_what_the_storage_has(target: Target) -> None:
    assert asyncio.run(StateWriter(Disk()).load([target])) == {"nz": STATE}


def test_without_a_folder_nothing_is_kept(target: Target, tmp_path: Path) -> None:
    forgetful = open_storage(None)
    forgetful.keep(TargetSnapshot(target, STATE, is_stale=False))
    asyncio.run(forgetful.run())
    assert isinstance(forgetful, NullStorage)
    assert asyncio.run(forgetful.load([target])) == {}
    assert isinstance(open_storage(tmp_path), StateWriter)


# Where polling goes on.


def polls_after(rhythm: ScheduleState, target: Target, seconds: float) -> list[float]:
    """When a target that was polled before this program began is polled, until so many seconds."""
    began: list[float] = []

    async def fetch(_send: Transport, _now: float) -> PollResult:
        began.append(elapsed())
        raise PollError(FailureReason.SERVER_ERROR, "HTTP status 503")

    async def main() -> None:
        limits = Limits(1, 1000.0)
        async with PollScheduler(
            lambda *_: None, limits, lambda: NOW + elapsed(), lambda: 0.5
        ) as scheduler:
            scheduler.start(
                [PollTarget(target, fetch, HttpClient("tests").transport(Http()))],
                {target.name: rhythm},
            )
            await asyncio.sleep(seconds)

    in_virtual_time(main())
    return began


@pytest.mark.parametrize(("due", "first"), [(NOW + 840, 840), (NOW, 0), (NOW - 10**6, 0)])
def test_the_next_poll_keeps_its_time(target: Target, due: float, first: float) -> None:
    last = PollOutcome(POLL_RESULT, 0.25, 2, NOW - 60, due)
    assert polls_after(ScheduleState(last), target, first + 1) == [first]


def test_a_back_off_goes_on_from_where_it_was(target: Target) -> None:
    last = PollOutcome(
        PollFailure(FailureReason.SERVER_ERROR, "HTTP status 503"), 0.25, 2, NOW, NOW + 120
    )
    assert polls_after(ScheduleState(last, failures=3), target, 1000) == [120, 360, 840]
    assert polls_after(ScheduleState(), target, 400) == [0, 30, 90, 210]


def test_a_refused_key_waits_for_its_time_unless_its_file_changes(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("demo-key-1-not-real\n")
    key.chmod(0o600)
    target = configured(tmp_path, key=f"api_key_file: {key}")
    assert polls_after(ScheduleState(REFUSED, failures=1), target, 7001) == [7000]


# The whole program.

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(7, "Yearly", 100, "NZD", 100, 40, NEW_YEAR, NEW_YEAR.replace(year=2036))
ACCOUNTS = Accounts((), (Group(456, "Acme", "demo-key-1-not-real", (PLAN,)),))
USED = 'xtracta_documents_used{target="nz",group_id="456",plan_id="7"} 40'


async def page_once_ready(url: str) -> str:
    """The page of an exporter that may not have started yet, once it is ready."""
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/-/ready")).status_code == 200:
                    return (await client.get("/metrics")).text
            await asyncio.sleep(0.02)


async def run_until_ready(folder: Path) -> str:
    """Run the service until it is ready and stop it: its page, as it was then."""
    stop = asyncio.Event()
    [bound] = sockets = bound_sockets(["127.0.0.1:0"])
    path = folder / "config.yaml"
    options = ServeOptions(path, {}, sockets, storage_path=folder / "state")
    service = Service(options, load_config(path, {}), HttpClient("test/1"))
    running = asyncio.create_task(service.run(stop, asyncio.Event()))
    page = await page_once_ready(url_of(bound))
    stop.set()
    await running
    return page


def calls_over_restarts(accounts: Accounts, folder: Path) -> tuple[list[str], int]:
    """The pages of two runs, and how often the vendor was asked."""
    vendors = Vendors(accounts)

    async def main() -> list[str]:
        async with vendors.serve() as url:
            configured(folder, url=url)
            return [await run_until_ready(folder) for _ in range(2)]

    pages = asyncio.run(main())
    return pages, sum(
        count for (path, _), count in vendors.calls.items() if path == "/v1/billings/usage"
    )


@pytest.mark.e2e
def test_a_restart_leaves_no_hole_and_asks_for_nothing(tmp_path: Path) -> None:
    pages, calls = calls_over_restarts(ACCOUNTS, tmp_path)
    assert all(USED in page for page in pages)
    assert calls == 1


@pytest.mark.e2e
def test_a_back_off_goes_on_after_a_restart(tmp_path: Path) -> None:
    pages, calls = calls_over_restarts(Accounts(), tmp_path)
    assert all('docusage_target_up{target="nz",vendor="xtracta"} 0' in page for page in pages)
    assert calls == 1


@pytest.mark.e2e
def test_a_crash_loop_makes_one_call(tmp_path: Path) -> None:
    vendors = Vendors(ACCOUNTS)
    state = tmp_path / "state"

    async def main() -> None:
        async with vendors.serve() as url:
            configured(tmp_path, url=url)
            for _ in range(3):
                async with crashing(tmp_path, state) as exporter:
                    assert USED in await page_once_ready(exporter)
                    await until(lambda: list(state.glob("*.json")))

    asyncio.run(main())
    assert vendors.calls["/v1/billings/usage", "456"] == 1


@asynccontextmanager
async def crashing(folder: Path, state: Path) -> AsyncIterator[str]:
    """The real program at a URL, killed at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "--log.level=error"),
        *(f"--config.file={folder / 'config.yaml'}", f"--storage.path={state}"),
        env={**os.environ, "DOCUSAGE_WEB_LISTEN_ADDRESS": address},
    )
    try:
        yield f"http://{address}"
    finally:
        process.kill()
        await process.wait()
