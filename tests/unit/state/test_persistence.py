from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import elapsed
from waiting import until

from exporter.app import load_config
from exporter.logging import fields
from exporter.model import (
    Allowance,
    Anomaly,
    FailureReason,
    PollFailure,
    PollOutcome,
    PollResult,
    Sample,
    ScopeFailure,
    ScopeUsage,
    UsageHistory,
    compact_days,
)
from exporter.state.daily_usage import ObservedUsage
from exporter.state.persistence import NullStorage, StateFiles, StateWriter, open_storage
from exporter.state.schema import dump_state, load_state, target_digest
from exporter.state.store import StateStore, TargetSnapshot, TargetState
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from exporter.config.models import Target

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
    failing_since=NOW - 50,
    stale_at=1000.0 + 45 * 60 - 60,
    daily_usage={("456", "7"): ObservedUsage(NOW - 60, 40, (3, 4, 5))},
)
REJECTED = PollOutcome(
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


# Contents of a state file


def test_a_dumped_state_is_loaded(target: Target) -> None:
    assert load_state(contents(target), target, NOW, 1000.0) == STATE


OLD_FILE = """{
    "version": 1, "target": "nz", "salt": "00112233445566778899aabbccddeeff",
    "digest": "%s", "key_file": null,
    "last_poll": {
        "failure": null, "duration": 0.25, "requests": 2, "at": 1767571140.0,
        "next_at": 1767572040.0
    },
    "consecutive_failures": 0,
    "result": {
        "samples": [["xtracta_documents_used", ["456", "7"], 40.0]],
        "allowances": [{
            "account": "456", "allowance": "7", "allowed": 100, "used": 40, "available": 60,
            "unit": "documents", "account_name": "Acme", "allowance_name": "Yearly",
            "burn_per_day": 1.5, "exhaustion": 1767571209.0, "start": null, "end": null,
            "cumulative_only": true
        }],
        "anomalies": ["unknown_field"]
    },
    "succeeded_at": 1767571140.0,
    "daily_usage": [["456", "7", [1767571140.0, 40, [3, 4, 4, 4, 4, 4, 4, 4, 5]]]]
}"""
"""As the first version wrote it: without ranges, projections, renewals, notes and history."""


def test_a_file_of_the_first_version_is_loaded_and_its_days_go_on(target: Target) -> None:
    digest = target_digest(target, "00112233445566778899aabbccddeeff")
    loaded = load_state((OLD_FILE % digest).encode(), target, NOW, 1000.0)
    assert loaded is not None
    assert loaded.result == POLL_RESULT
    plan = replace(POLL_RESULT.allowances[0], used=42, available=58)
    outcome = PollOutcome(PollResult((), (plan,)), 0.25, 2, NOW + 60, NOW + 960)
    state = loaded.after(outcome, 2000.0)
    # One of the two documents was used before midnight.
    days = (3, 4, 4, 4, 4, 4, 4, 4, 6, 1)
    assert state.daily_usage == {("456", "7"): ObservedUsage(NOW + 60, 42, days)}
    assert state.result is not None
    (left,) = state.result.allowances
    assert left.burn_per_day == pytest.approx(4.2, abs=0.1)
    assert left.exhaustion_latest is not None
    assert contents(target, state)


def test_a_failure_is_saved_with_the_last_good_result(target: Target) -> None:
    state = replace(STATE, last_poll=REJECTED, consecutive_failures=3)
    assert load_state(contents(target, state), target, NOW, 1000.0) == state


def test_a_target_that_never_succeeded_keeps_its_failure(target: Target) -> None:
    loaded = load_state(
        contents(target, TargetState(last_poll=REJECTED, consecutive_failures=3)),
        target,
        NOW,
        1000.0,
    )
    assert loaded is not None
    assert (loaded.last_poll, loaded.result, loaded.succeeded_at) == (REJECTED, None, None)


def test_counters_start_at_zero_after_a_restart(target: Target) -> None:
    state = replace(STATE, polls=9, requests=18)
    assert load_state(contents(target, state), target, NOW, 1000.0) == STATE


@pytest.mark.parametrize(("age", "is_stale"), [(45 * 60 - 1, False), (45 * 60, True)])
def test_a_result_older_than_stale_after_is_expired_when_it_is_loaded(
    target: Target, age: float, *, is_stale: bool
) -> None:
    state = replace(STATE, succeeded_at=NOW - age)
    loaded = load_state(contents(target, state), target, NOW, 1000.0)
    assert loaded is not None
    store = StateStore(clock=lambda: 1000.0)
    store.set_targets([target], {"nz": loaded})
    assert [snapshot.is_stale for snapshot in store.snapshots()] == [is_stale]
    assert all(snapshot.state.last_poll for snapshot in store.snapshots())


def test_a_state_from_the_future_is_ignored(target: Target) -> None:
    assert load_state(contents(target), target, NOW - 60 - 15 * 60, 0.0) is not None
    assert load_state(contents(target), target, NOW - 61 - 15 * 60, 0.0) is None


def test_a_result_from_the_future_expires_no_later_than_a_new_one(target: Target) -> None:
    loaded = load_state(contents(target), target, NOW - 300, 1000.0)
    assert loaded is not None
    assert loaded.stale_at == 1000.0 + 45 * 60


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
def test_the_state_of_a_target_with_other_settings_is_ignored(
    target: Target, tmp_path: Path, change: dict[str, str]
) -> None:
    changed = configured(tmp_path, {"KEY": "demo-key-1-not-real"}, **change)
    assert load_state(contents(target), changed, NOW, 0.0) is None


def test_the_state_of_a_target_with_another_static_key_is_ignored(tmp_path: Path) -> None:
    first, second = (
        configured(tmp_path, {"KEY": f"demo-key-{number}-not-real"}, key="api_key_env: KEY")
        for number in (1, 2)
    )
    assert load_state(contents(first), second, NOW, 0.0) is None
    assert load_state(contents(second), second, NOW, 0.0) is not None


def test_no_state_file_contains_a_key(target: Target) -> None:
    assert b"demo-key" not in contents(target)
    assert json.loads(contents(target))["digest"] != json.loads(contents(target))["digest"]


@pytest.mark.parametrize(
    ("last", "rewritten", "due"),
    [(REJECTED, True, NOW), (REJECTED, False, NOW + 7000), (STATE.last_poll, True, NOW + 840)],
    ids=["rejected, new key", "rejected, same key", "accepted, new key"],
)
def test_a_key_file_that_changed_since_the_key_was_rejected_is_tried_at_once(
    tmp_path: Path, last: PollOutcome, *, rewritten: bool, due: float
) -> None:
    key = tmp_path / "key"
    key.write_text("demo-key-1-not-real\n")
    key.chmod(0o600)
    target = configured(tmp_path, key=f"api_key_file: {key}")
    saved = contents(target, replace(STATE, last_poll=last))
    if rewritten:
        key.write_text("demo-key-3-also-not-real\n")
    state = load_state(saved, target, NOW, 1000.0)
    assert state is not None
    assert state.last_poll == last._replace(next_at=due)


def changed(document: bytes, **members: object) -> bytes:
    return json.dumps(json.loads(document) | members).encode()


SAMPLE = ["xtracta_documents_used", ["456", "7"], 40]


@pytest.mark.parametrize(
    "members",
    [
        {"version": 2},
        {"salt": "not hexadecimal"},
        {"salt": "00" * 17},
        {"result": None},
        {"daily_usage": [["456", "7", [NOW, 40, []]]]},
        {"result": {"samples": [["gone", [], 1]], "allowances": [], "anomalies": []}},
        {"result": {"samples": [[SAMPLE[0], [], 1]], "allowances": [], "anomalies": []}},
        {"result": {"samples": [SAMPLE, SAMPLE], "allowances": [], "anomalies": []}},
        {"succeeded_at": "yesterday"},
        {"surplus": 1},
    ],
    ids=str,
)
def test_invalid_contents_raise_value_error(target: Target, members: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the message is never shown
        load_state(changed(contents(target), **members), target, NOW, 0.0)


MOMENTS = st.floats(NOW - 1e8, NOW)
FIGURES = st.integers(0, 2**53)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FAILURES = st.builds(
    PollFailure, st.sampled_from(FailureReason), TEXTS, st.none() | st.floats(0, 1e6)
)
DAYS = st.lists(st.integers(-(10**11), 10**11), max_size=5).map(compact_days)
DAILY_USE = st.builds(UsageHistory, MOMENTS, MOMENTS, FIGURES.map(float), DAYS, MOMENTS, MOMENTS)
ALLOWANCES = st.builds(
    Allowance,
    TEXTS,
    TEXTS,
    *(st.none() | FIGURES, st.none() | FIGURES, st.none() | FIGURES),
    TEXTS,
    account_name=TEXTS,
    allowance_name=TEXTS,
    burn_per_day=st.none() | st.floats(0, 1e15),
    exhaustion=st.none() | MOMENTS,
    exhaustion_earliest=st.none() | MOMENTS,
    exhaustion_latest=st.none() | MOMENTS,
    projected_used=st.none() | st.floats(0, 1e12),
    renews=st.booleans(),
    start=st.none() | MOMENTS,
    end=st.none() | MOMENTS,
    cumulative_only=st.booleans(),
    history=st.none() | DAILY_USE,
)
SAMPLES = st.builds(
    lambda metric, number, value: Sample(
        metric, tuple(f"{number}{label}" for label in metric.labels[1:]), value
    ),
    st.sampled_from(list(METRICS.values())),
    st.integers(),
    FIGURES | st.floats(allow_nan=False, allow_infinity=False),
)
SCOPE_FAILURES = st.builds(
    ScopeFailure,
    TEXTS,
    st.sampled_from(FailureReason),
    *(TEXTS, TEXTS, TEXTS),
    st.none() | st.floats(0, 1e6),
    st.none() | MOMENTS,
)
RESULTS = st.builds(
    PollResult,
    st.lists(SAMPLES, max_size=5, unique_by=lambda sample: sample[:2]).map(tuple),
    st.lists(ALLOWANCES, max_size=3, unique_by=lambda each: (each.account, each.allowance)).map(
        tuple
    ),
    st.lists(st.sampled_from(Anomaly), max_size=3).map(tuple),
    st.lists(SCOPE_FAILURES, max_size=2).map(tuple),
    st.lists(TEXTS, max_size=2).map(tuple),
    st.lists(
        st.builds(ScopeUsage, TEXTS, TEXTS, TEXTS, TEXTS, st.none() | DAILY_USE), max_size=2
    ).map(tuple),
)
HISTORIES = st.builds(
    ObservedUsage, MOMENTS, FIGURES, st.lists(FIGURES, min_size=1, max_size=30).map(tuple)
)


@st.composite
def states(draw: st.DrawFn) -> TargetState:
    poll_result = draw(st.none() | RESULTS)
    succeeded_at = draw(MOMENTS) if poll_result else None
    result = poll_result if poll_result and draw(st.booleans()) else draw(FAILURES)
    requests = draw(st.integers(0, 1000))
    last = PollOutcome(result, draw(st.floats(0, 1e4)), requests, draw(MOMENTS), draw(MOMENTS))
    return TargetState(
        last_poll=last,
        result=poll_result,
        succeeded_at=succeeded_at,
        failing_since=draw(st.none() | MOMENTS),
        stale_at=45 * 60 - (NOW - (succeeded_at or 0.0)),
        consecutive_failures=draw(st.integers(0, 1000)),
        daily_usage=draw(st.dictionaries(st.tuples(TEXTS, TEXTS), HISTORIES, max_size=3)),
    )


@given(state=states())
def test_every_dumped_state_is_loaded(target: Target, state: TargetState) -> None:
    loaded = load_state(contents(target, state), target, NOW, 0.0)
    assert loaded == state
    for before, after in zip(
        state.result.allowances if state.result else (),
        loaded.result.allowances if loaded.result else (),
        strict=True,
    ):
        assert after.history == before.history


def test_a_daily_figure_that_is_out_of_range_raises_value_error(target: Target) -> None:
    history = UsageHistory(NOW, NOW, 1.0, (2**63,))
    scope = ScopeUsage("organization", "org", "Acme", "credits", history)
    state = replace(STATE, result=replace(POLL_RESULT, scopes=(scope,)))
    with pytest.raises(ValueError, match="out of range"):
        load_state(contents(target, state), target, NOW, 0.0)


@given(st.binary() | st.text().map(str.encode))
def test_arbitrary_bytes_raise_value_error(target: Target, junk: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the message is never shown
        load_state(junk, target, NOW, 0.0)


@given(data=st.data())
def test_a_file_with_a_changed_byte_is_loaded_or_raises_value_error(
    target: Target, data: st.DataObject
) -> None:
    whole = contents(target)
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + data.draw(st.binary(max_size=2)) + whole[at + 1 :]
    try:
        state = load_state(broken, target, NOW, 0.0)
    except ValueError:
        return
    assert state is None or state.last_poll is not None


# State files


def files_in(folder: Path) -> StateFiles:
    return StateFiles(folder, clock=lambda: 1000.0, now=lambda: NOW)


def test_a_saved_target_is_loaded(target: Target, tmp_path: Path) -> None:
    files = files_in(tmp_path / "new" / "folder")
    assert files.load([target]) == {}
    files.save(TargetSnapshot(target, STATE, is_stale=False))
    assert files.load([target]) == {"nz": STATE}


def test_a_state_file_is_private_and_leaves_no_temporary_file(
    target: Target, tmp_path: Path
) -> None:
    files = files_in(tmp_path)
    files.save(TargetSnapshot(target, STATE, is_stale=False))
    files.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_renamed_with_a_warning(
    target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = files_in(tmp_path)
    files.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert files.load([target]) == {}
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]
    assert caplog.messages == [f"ignoring damaged state file {file.stem}.damaged"]
    assert files.load([target]) == {}


@pytest.mark.parametrize(
    ("replace", "problem"), [(os.mkdir, "Is a directory"), (os.mkfifo, "Not a regular file")]
)
def test_a_path_that_is_no_regular_file_is_a_warning_and_never_blocks(
    target: Target,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    replace: Callable[[Path], None],
    problem: str,
) -> None:
    files = files_in(tmp_path)
    files.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    file.unlink()
    replace(file)
    assert files.load([target]) == {}
    assert caplog.messages == [f"cannot read state files: {problem}"]


def test_a_folder_that_cannot_be_read_is_one_warning(
    target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").write_text("a file")
    targets = [target.model_copy(update={"name": name}) for name in "abc"]
    assert files_in(tmp_path / "folder").load(targets) == {}
    assert caplog.messages == ["cannot read state files: Not a directory"]


def test_a_failed_write_leaves_the_file_unchanged(target: Target, tmp_path: Path) -> None:
    files = files_in(tmp_path)
    files.save(TargetSnapshot(target, STATE, is_stale=False))
    [file] = tmp_path.iterdir()
    file.with_suffix(".new").mkdir()
    with pytest.raises(IsADirectoryError):
        files.save(TargetSnapshot(target, TargetState(last_poll=REJECTED), is_stale=False))
    assert files.load([target]) == {"nz": STATE}


# Writing in the background


class FullDisk(StateFiles):
    """Records what is written; the first writes fail, and those of one state always."""

    def __init__(self, failures: int = 0, unwritable: str = "") -> None:
        self.failures = failures
        self.unwritable = unwritable
        self.saved: list[str] = []
        self.attempts = 0

    def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:
        return {target.name: STATE for target in targets}

    def save(self, snapshot: TargetSnapshot) -> None:
        self.attempts += 1
        state = f"{snapshot.target.name} {snapshot.state.consecutive_failures}"
        if self.attempts <= self.failures or state == self.unwritable:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.saved.append(state)


class RecordingFiles(StateFiles):
    """Records which files are to be written."""

    def __init__(self, files: StateFiles) -> None:
        self.tried: list[str] = []
        self._files = files

    def save(self, snapshot: TargetSnapshot) -> None:
        self.tried.append(snapshot.target.name)
        self._files.save(snapshot)


def snapshot_of(target: Target, name: str, failed: int = 0) -> TargetSnapshot:
    named = target.model_copy(update={"name": name})
    return TargetSnapshot(named, replace(STATE, consecutive_failures=failed), is_stale=False)


@asynccontextmanager
async def writing(files: StateFiles, interval: float = 0.0) -> AsyncIterator[StateWriter]:
    """A running writer, stopped at the end."""
    writer = StateWriter(files, interval)
    running = asyncio.create_task(writer.run())
    yield writer
    running.cancel()
    await asyncio.wait([running])


def test_a_target_that_changes_often_is_written_once_per_interval(target: Target) -> None:
    disk = FullDisk()

    async def main() -> None:
        async with writing(disk) as writer:
            for snapshot in (
                snapshot_of(target, "a", 1),
                snapshot_of(target, "b"),
                snapshot_of(target, "a", 2),
            ):
                writer.save(snapshot)
            await until(lambda: len(disk.saved) == 2)
            writer.save(snapshot_of(target, "a", 3))
            await until(lambda: len(disk.saved) == 3)

    asyncio.run(main())
    assert disk.saved == ["a 2", "b 0", "a 3"]


def test_pending_changes_are_written_on_shutdown(target: Target) -> None:
    disk = FullDisk()

    async def main() -> None:
        async with writing(disk, interval=3600.0) as writer:
            writer.save(snapshot_of(target, "a"))
            await until(lambda: disk.saved)
            writer.save(snapshot_of(target, "b"))

    asyncio.run(main())
    assert disk.saved == ["a 0", "b 0"]


def test_failed_writes_are_retried_with_one_warning(
    target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    disk = FullDisk(failures=4)  # both, in two rounds

    async def main() -> None:
        async with writing(disk) as writer:
            writer.save(snapshot_of(target, "a"))
            writer.save(snapshot_of(target, "b"))
            await until(lambda: len(disk.saved) == 2)

    asyncio.run(main())
    assert disk.saved == ["a 0", "b 0"]
    assert caplog.messages == [
        "cannot write state files: No space left on device",
        "state files are written again",
    ]


def test_a_file_that_cannot_be_written_does_not_block_others(
    target: Target, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = files_in(tmp_path)
    bad, good = snapshot_of(target, "bad"), snapshot_of(target, "good")
    files.save(bad)
    [file] = tmp_path.iterdir()
    file.with_suffix(".new").mkdir()
    recording = RecordingFiles(files)

    async def main() -> None:
        async with writing(recording) as writer:
            writer.save(bad)
            writer.save(good)
            await until(lambda: recording.tried.count("bad") >= 3)

    asyncio.run(main())
    assert files.load([good.target]) == {"good": STATE}
    assert recording.tried.count("good") == 1
    [warning] = caplog.records
    assert fields(warning) | {"ts": ""} == {
        "ts": "",
        "level": "warn",
        "msg": "cannot write state files: Is a directory",
        "target": "bad",
        "vendor": "xtracta",
        "targets": 1,
    }


def test_a_newer_state_replaces_one_that_could_not_be_written(target: Target) -> None:
    disk = FullDisk(unwritable="a 1")

    async def main() -> None:
        async with writing(disk) as writer:
            writer.save(snapshot_of(target, "a", 1))
            await until(lambda: disk.attempts)
            writer.save(snapshot_of(target, "a", 2))
            await until(lambda: disk.saved)

    asyncio.run(main())
    assert disk.saved == ["a 2"]


def test_the_writer_loads_the_state_files(target: Target) -> None:
    assert asyncio.run(StateWriter(FullDisk()).load([target])) == {"nz": STATE}


def test_without_a_folder_nothing_is_stored(target: Target, tmp_path: Path) -> None:
    storage = open_storage(None, elapsed)
    storage.save(TargetSnapshot(target, STATE, is_stale=False))
    asyncio.run(storage.run())
    assert isinstance(storage, NullStorage)
    assert asyncio.run(storage.load([target])) == {}
    assert isinstance(open_storage(tmp_path, elapsed), StateWriter)
