"""What survives a failed poll, and for how long: laws over any sequence of outcomes."""

from __future__ import annotations

from fake_targets import ALLOWANCE, READING, TIMEOUT, outcome, target
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import Anomaly, Failure, Outcome, Reading, Reason
from exporter.snapshot import Entry, Snapshot, State

READINGS = st.builds(
    Reading, st.just(READING.samples), anomalies=st.lists(st.sampled_from(Anomaly)).map(tuple)
)
FAILURES = st.builds(Failure, st.sampled_from(Reason), st.just("words"))
OUTCOMES = st.builds(
    Outcome,
    READINGS | FAILURES,
    took=st.floats(0, 60),
    requests=st.integers(0, 9),
    at=st.floats(0, 2**31),
    next_at=st.floats(0, 2**31),
)


def folded(outcomes: list[Outcome]) -> State:
    state = State()
    for number, each in enumerate(outcomes):
        state = state.after(each, stale_at=float(number))
    return state


@given(st.lists(OUTCOMES))
def test_nothing_is_lost_in_counting(outcomes: list[Outcome]) -> None:
    state = folded(outcomes)
    failed = [each.result for each in outcomes if isinstance(each.result, Failure)]
    good = [each.result for each in outcomes if isinstance(each.result, Reading)]
    assert state.polls == len(outcomes)
    assert state.requests == sum(each.requests for each in outcomes)
    assert dict(zip(Reason, state.failures, strict=True)) == {
        reason: [failure.reason for failure in failed].count(reason) for reason in Reason
    }
    assert dict(zip(Anomaly, state.anomalies, strict=True)) == {
        kind: sum(reading.anomalies.count(kind) for reading in good) for kind in Anomaly
    }


@given(st.lists(OUTCOMES))
def test_the_last_good_reading_stays_with_its_time_and_the_last_poll_is_told(
    outcomes: list[Outcome],
) -> None:
    state = folded(outcomes)
    good = [
        (each.result, each.at, float(number))
        for number, each in enumerate(outcomes)
        if isinstance(each.result, Reading)
    ]
    assert (state.reading, state.succeeded_at, state.stale_at) == (
        good[-1] if good else (None, None, 0.0)
    )
    assert state.last == (outcomes[-1] if outcomes else None)


@given(st.lists(OUTCOMES, min_size=1))
def test_a_target_is_up_or_says_why_not(outcomes: list[Outcome]) -> None:
    state = folded(outcomes)
    assert state.is_up is isinstance(outcomes[-1].result, Reading)
    assert state.failure == (None if state.is_up else outcomes[-1].result)


def test_a_target_that_was_not_polled_is_neither_up_nor_failed() -> None:
    assert not State().is_up
    assert State().failure is None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def only(snapshot: Snapshot) -> Entry:
    (entry,) = snapshot.entries()
    return entry


def test_values_are_withdrawn_at_stale_after_and_come_back_with_the_next_success() -> None:
    clock = Clock()
    snapshot = Snapshot(clock)
    snapshot.adopt([target(poll={"interval": "1m", "stale_after": "3m"})])
    snapshot.publish("one", outcome())
    clock.now = 100
    snapshot.publish("one", outcome(TIMEOUT))
    clock.now = 179.9
    assert only(snapshot).reading == READING
    assert only(snapshot).allowances == (ALLOWANCE,)
    clock.now = 180
    entry = only(snapshot)
    assert entry.is_stale
    assert entry.reading is None
    assert entry.allowances == ()
    assert entry.state.succeeded_at == 1_780_000_000
    snapshot.publish("one", outcome(TIMEOUT))
    assert only(snapshot).reading is None
    snapshot.publish("one", outcome())
    assert only(snapshot).reading == READING


POLLS = st.tuples(st.sampled_from("abc"), READINGS | FAILURES)
WAITS = st.integers(0, 400)


@given(st.lists(POLLS | WAITS))
def test_a_reading_is_withdrawn_at_its_own_time_whatever_happens_to_others(
    steps: list[tuple[str, Reading | Failure] | int],
) -> None:
    clock = Clock()
    snapshot = Snapshot(clock)
    ages = {"a": 100, "b": 250, "c": 300}
    snapshot.adopt(
        target(name, poll={"interval": "1m", "stale_after": f"{age}s"})
        for name, age in ages.items()
    )
    read_at: dict[str, float] = {}
    for step in steps:
        if isinstance(step, int):
            clock.now += step
        else:
            snapshot.publish(step[0], outcome(step[1]))
            if isinstance(step[1], Reading):
                read_at[step[0]] = clock.now
        shown = {entry.target.name for entry in snapshot.entries() if entry.reading}
        assert shown == {name for name, at in read_at.items() if clock.now < at + ages[name]}


def test_a_kept_reading_that_is_too_old_is_withdrawn_at_once() -> None:
    clock = Clock()
    clock.now = 500
    snapshot = Snapshot(clock)
    kept = State().after(outcome(), stale_at=400)
    snapshot.adopt([target()], {"one": kept})
    assert only(snapshot) == Entry(target(), kept, is_stale=True)


def test_a_target_that_never_had_values_has_none_to_withdraw() -> None:
    clock = Clock()
    snapshot = Snapshot(clock)
    snapshot.adopt([target()])
    snapshot.publish("one", outcome(TIMEOUT))
    clock.now = 10.0**9
    assert not only(snapshot).is_stale


def test_an_entry_stays_the_same_object_until_something_happens_to_it() -> None:
    clock = Clock()
    snapshot = Snapshot(clock)
    snapshot.adopt([target(poll={"interval": "1m"})])
    snapshot.publish("one", outcome())
    before = only(snapshot)
    clock.now = 179
    assert only(snapshot) is before
    clock.now = 181
    stale = only(snapshot)
    assert stale is not before
    assert only(snapshot) is stale
    snapshot.publish("one", outcome(TIMEOUT))
    assert only(snapshot) is not stale


def test_unchanged_targets_keep_their_states_and_others_begin_anew() -> None:
    snapshot = Snapshot()
    snapshot.adopt([target("gone"), target("same"), target("changed", base_url="http://a")])
    for name in ("gone", "same", "changed"):
        snapshot.publish(name, outcome())
    before = {entry.target.name: entry for entry in snapshot.entries()}
    snapshot.adopt([target("new"), target("changed", base_url="http://b"), target("same")])
    after = {entry.target.name: entry for entry in snapshot.entries()}
    assert list(after) == ["new", "changed", "same"]
    assert after["same"] is before["same"]
    assert after["changed"] == Entry(
        target("changed", base_url="http://b"), State(), is_stale=False
    )
    assert after["new"].state == State()


def test_a_target_with_another_key_is_another_target() -> None:
    snapshot = Snapshot()
    snapshot.adopt([target()])
    snapshot.publish("one", outcome())
    snapshot.adopt([target(api_key="k2")])
    assert only(snapshot).state == State()
