"""The state of targets: laws over any sequence of outcomes, and when results expire."""

from __future__ import annotations

from collections import Counter

from fake_targets import ALLOWANCE, POLL_RESULT, TIMEOUT, outcome, target
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Anomaly, FailureReason, PollFailure, PollOutcome, PollResult
from exporter.state.store import StateStore, TargetSnapshot, TargetState

RESULTS = st.builds(
    PollResult,
    st.just(POLL_RESULT.samples),
    anomalies=st.lists(st.sampled_from(Anomaly)).map(tuple),
)
FAILURES = st.builds(PollFailure, st.sampled_from(FailureReason), st.just("detail"))
OUTCOMES = st.builds(
    PollOutcome,
    RESULTS | FAILURES,
    duration=st.floats(0, 60),
    requests=st.integers(0, 9),
    at=st.floats(0, 2**31),
    next_at=st.floats(0, 2**31),
)


def state_after(outcomes: list[PollOutcome]) -> TargetState:
    state = TargetState()
    for number, each in enumerate(outcomes):
        state = state.after(each, stale_at=float(number))
    return state


@given(st.lists(OUTCOMES))
def test_every_poll_request_failure_and_anomaly_is_counted(outcomes: list[PollOutcome]) -> None:
    state = state_after(outcomes)
    failed = [each.result for each in outcomes if isinstance(each.result, PollFailure)]
    good = [each.result for each in outcomes if isinstance(each.result, PollResult)]
    assert state.polls == len(outcomes)
    assert state.requests == sum(each.requests for each in outcomes)
    assert state.failures == len(failed)
    assert state.anomalies == Counter(
        kind for poll_result in good for kind in poll_result.anomalies
    )


@given(st.lists(OUTCOMES))
def test_the_last_good_result_survives_failures_with_its_time(
    outcomes: list[PollOutcome],
) -> None:
    state = state_after(outcomes)
    good = [
        (each.result, each.at, float(number))
        for number, each in enumerate(outcomes)
        if isinstance(each.result, PollResult)
    ]
    assert (state.result, state.succeeded_at, state.stale_at) == (
        good[-1] if good else (None, None, 0.0)
    )
    assert state.last_poll == (outcomes[-1] if outcomes else None)


@given(st.lists(OUTCOMES))
def test_a_target_is_failing_since_the_first_failed_poll_after_the_last_success(
    outcomes: list[PollOutcome],
) -> None:
    after_success: list[float] = []
    for each in outcomes:
        after_success = [] if isinstance(each.result, PollResult) else [*after_success, each.at]
    assert state_after(outcomes).failing_since == (after_success[0] if after_success else None)


@given(st.lists(OUTCOMES, min_size=1))
def test_a_target_is_up_or_has_a_failure(outcomes: list[PollOutcome]) -> None:
    state = state_after(outcomes)
    assert state.is_up is isinstance(outcomes[-1].result, PollResult)
    assert state.failure == (None if state.is_up else outcomes[-1].result)


def test_a_target_that_was_never_polled_is_neither_up_nor_failed() -> None:
    assert not TargetState().is_up
    assert TargetState().failure is None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def snapshot_of(store: StateStore) -> TargetSnapshot:
    (snapshot,) = store.snapshots()
    return snapshot


def test_results_expire_after_stale_after_and_return_with_the_next_success() -> None:
    clock = Clock()
    store = StateStore(clock)
    store.set_targets([target(poll={"interval": "1m", "stale_after": "3m"})])
    store.record("one", outcome())
    clock.now = 100
    store.record("one", outcome(TIMEOUT))
    clock.now = 179.9
    assert snapshot_of(store).result == POLL_RESULT
    assert snapshot_of(store).allowances == (ALLOWANCE,)
    clock.now = 180
    snapshot = snapshot_of(store)
    assert snapshot.is_stale
    assert snapshot.result is None
    assert snapshot.allowances == ()
    assert snapshot.state.succeeded_at == 1_780_000_000
    store.record("one", outcome(TIMEOUT))
    assert snapshot_of(store).result is None
    store.record("one", outcome())
    assert snapshot_of(store).result == POLL_RESULT


POLLS = st.tuples(st.sampled_from("abc"), RESULTS | FAILURES)
WAITS = st.integers(0, 400)


@given(st.lists(POLLS | WAITS))
def test_a_result_expires_at_its_own_time_whatever_happens_to_others(
    steps: list[tuple[str, PollResult | PollFailure] | int],
) -> None:
    clock = Clock()
    store = StateStore(clock)
    ages = {"a": 100, "b": 250, "c": 300}
    store.set_targets(
        target(name, poll={"interval": "1m", "stale_after": f"{age}s"})
        for name, age in ages.items()
    )
    succeeded_at: dict[str, float] = {}
    for step in steps:
        if isinstance(step, int):
            clock.now += step
        else:
            store.record(step[0], outcome(step[1]))
            if isinstance(step[1], PollResult):
                succeeded_at[step[0]] = clock.now
        shown = {snapshot.target.name for snapshot in store.snapshots() if snapshot.result}
        assert shown == {name for name, at in succeeded_at.items() if clock.now < at + ages[name]}


def test_a_restored_result_that_is_too_old_is_expired_at_once() -> None:
    clock = Clock()
    clock.now = 500
    store = StateStore(clock)
    restored = TargetState().after(outcome(), stale_at=400)
    store.set_targets([target()], {"one": restored})
    assert snapshot_of(store) == TargetSnapshot(target(), restored, is_stale=True)


def test_a_target_without_a_result_never_becomes_stale() -> None:
    clock = Clock()
    store = StateStore(clock)
    store.set_targets([target()])
    store.record("one", outcome(TIMEOUT))
    clock.now = 10.0**9
    assert not snapshot_of(store).is_stale


def test_a_snapshot_stays_the_same_object_until_its_target_changes() -> None:
    clock = Clock()
    store = StateStore(clock)
    store.set_targets([target(poll={"interval": "1m"})])
    store.record("one", outcome())
    before = snapshot_of(store)
    clock.now = 179
    assert snapshot_of(store) is before
    clock.now = 181
    stale = snapshot_of(store)
    assert stale is not before
    assert snapshot_of(store) is stale
    store.record("one", outcome(TIMEOUT))
    assert snapshot_of(store) is not stale


def test_unchanged_targets_keep_their_state_and_others_start_without() -> None:
    store = StateStore()
    store.set_targets([target("gone"), target("same"), target("changed", base_url="http://a")])
    for name in ("gone", "same", "changed"):
        store.record(name, outcome())
    before = {snapshot.target.name: snapshot for snapshot in store.snapshots()}
    store.set_targets([target("new"), target("changed", base_url="http://b"), target("same")])
    after = {snapshot.target.name: snapshot for snapshot in store.snapshots()}
    assert list(after) == ["new", "changed", "same"]
    assert after["same"] is before["same"]
    assert after["changed"] == TargetSnapshot(
        target("changed", base_url="http://b"), TargetState(), is_stale=False
    )
    assert after["new"].state == TargetState()


def test_a_target_with_another_key_starts_without_state() -> None:
    store = StateStore()
    store.set_targets([target()])
    store.record("one", outcome())
    store.set_targets([target(api_key="k2")])
    assert snapshot_of(store).state == TargetState()
