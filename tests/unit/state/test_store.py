"""What survives a failed poll, and for how long: laws over any sequence of outcomes."""

from __future__ import annotations

from collections import Counter

from fake_targets import ALLOWANCE, POLL_RESULT, TIMEOUT, outcome, target
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Anomaly, FailureReason, PollFailure, PollOutcome, PollResult
from exporter.state.store import StateStore, TargetSnapshot, TargetState

READINGS = st.builds(
    PollResult,
    st.just(POLL_RESULT.samples),
    anomalies=st.lists(st.sampled_from(Anomaly)).map(tuple),
)
FAILURES = st.builds(PollFailure, st.sampled_from(FailureReason), st.just("words"))
OUTCOMES = st.builds(
    PollOutcome,
    READINGS | FAILURES,
    duration=st.floats(0, 60),
    requests=st.integers(0, 9),
    at=st.floats(0, 2**31),
    next_at=st.floats(0, 2**31),
)


def folded(outcomes: list[PollOutcome]) -> TargetState:
    state = TargetState()
    for number, each in enumerate(outcomes):
        state = state.after(each, stale_at=float(number))
    return state


@given(st.lists(OUTCOMES))
def test_nothing_is_lost_in_counting(outcomes: list[PollOutcome]) -> None:
    state = folded(outcomes)
    failed = [each.result for each in outcomes if isinstance(each.result, PollFailure)]
    good = [each.result for each in outcomes if isinstance(each.result, PollResult)]
    assert state.polls == len(outcomes)
    assert state.requests == sum(each.requests for each in outcomes)
    assert state.failures == len(failed)
    assert state.anomalies == Counter(
        kind for poll_result in good for kind in poll_result.anomalies
    )


@given(st.lists(OUTCOMES))
def test_the_last_good_reading_stays_with_its_time_and_the_last_poll_is_told(
    outcomes: list[PollOutcome],
) -> None:
    state = folded(outcomes)
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
    assert folded(outcomes).failing_since == (after_success[0] if after_success else None)


@given(st.lists(OUTCOMES, min_size=1))
def test_a_target_is_up_or_says_why_not(outcomes: list[PollOutcome]) -> None:
    state = folded(outcomes)
    assert state.is_up is isinstance(outcomes[-1].result, PollResult)
    assert state.failure == (None if state.is_up else outcomes[-1].result)


def test_a_target_that_was_not_polled_is_neither_up_nor_failed() -> None:
    assert not TargetState().is_up
    assert TargetState().failure is None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def only(store: StateStore) -> TargetSnapshot:
    (snapshot,) = store.snapshots()
    return snapshot


def test_values_are_withdrawn_at_stale_after_and_come_back_with_the_next_success() -> None:
    clock = Clock()
    store = StateStore(clock)
    store.set_targets([target(poll={"interval": "1m", "stale_after": "3m"})])
    store.record("one", outcome())
    clock.now = 100
    store.record("one", outcome(TIMEOUT))
    clock.now = 179.9
    assert only(store).result == POLL_RESULT
    assert only(store).allowances == (ALLOWANCE,)
    clock.now = 180
    snapshot = only(store)
    assert snapshot.is_stale
    assert snapshot.result is None
    assert snapshot.allowances == ()
    assert snapshot.state.succeeded_at == 1_780_000_000
    store.record("one", outcome(TIMEOUT))
    assert only(store).result is None
    store.record("one", outcome())
    assert only(store).result == POLL_RESULT


POLLS = st.tuples(st.sampled_from("abc"), READINGS | FAILURES)
WAITS = st.integers(0, 400)


@given(st.lists(POLLS | WAITS))
def test_a_reading_is_withdrawn_at_its_own_time_whatever_happens_to_others(
    steps: list[tuple[str, PollResult | PollFailure] | int],
) -> None:
    clock = Clock()
    store = StateStore(clock)
    ages = {"a": 100, "b": 250, "c": 300}
    store.set_targets(
        target(name, poll={"interval": "1m", "stale_after": f"{age}s"})
        for name, age in ages.items()
    )
    read_at: dict[str, float] = {}
    for step in steps:
        if isinstance(step, int):
            clock.now += step
        else:
            store.record(step[0], outcome(step[1]))
            if isinstance(step[1], PollResult):
                read_at[step[0]] = clock.now
        shown = {snapshot.target.name for snapshot in store.snapshots() if snapshot.result}
        assert shown == {name for name, at in read_at.items() if clock.now < at + ages[name]}


def test_a_kept_reading_that_is_too_old_is_withdrawn_at_once() -> None:
    clock = Clock()
    clock.now = 500
    store = StateStore(clock)
    kept = TargetState().after(outcome(), stale_at=400)
    store.set_targets([target()], {"one": kept})
    assert only(store) == TargetSnapshot(target(), kept, is_stale=True)


def test_a_target_that_never_had_values_has_none_to_withdraw() -> None:
    clock = Clock()
    store = StateStore(clock)
    store.set_targets([target()])
    store.record("one", outcome(TIMEOUT))
    clock.now = 10.0**9
    assert not only(store).is_stale


def test_an_entry_stays_the_same_object_until_something_happens_to_it() -> None:
    clock = Clock()
    store = StateStore(clock)
    store.set_targets([target(poll={"interval": "1m"})])
    store.record("one", outcome())
    before = only(store)
    clock.now = 179
    assert only(store) is before
    clock.now = 181
    stale = only(store)
    assert stale is not before
    assert only(store) is stale
    store.record("one", outcome(TIMEOUT))
    assert only(store) is not stale


def test_unchanged_targets_keep_their_states_and_others_begin_anew() -> None:
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


def test_a_target_with_another_key_is_another_target() -> None:
    store = StateStore()
    store.set_targets([target()])
    store.record("one", outcome())
    store.set_targets([target(api_key="k2")])
    assert only(store).state == TargetState()
