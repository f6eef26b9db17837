"""What is compressed anew when targets change, and what is kept as it is."""

from __future__ import annotations

import pytest
from fake_targets import TIMEOUT, outcome, target

from exporter.metrics.blocks import Known
from exporter.model import PollFailure, PollResult, Sample
from exporter.state.store import StateStore
from exporter.vendors.affinda.metrics import CREDITS

NAMES = [f"{number}" for number in range(250)]
TIMES = {
    "docusage_target_last_poll_timestamp_seconds",
    "docusage_target_next_poll_timestamp_seconds",
    "docusage_target_polls_total",
    "docusage_target_api_requests_total",
}
SUCCESS = {"docusage_target_last_success_timestamp_seconds"}
AMISS = {"docusage_target_up", "docusage_target_poll_failures_total"}
CREDITS_TODAY = {"affinda_credits_daily"}


def figure(count: int) -> PollResult:
    return PollResult((Sample(CREDITS["organization"]["daily"], ("org",), count),))


def polled_once() -> tuple[StateStore, Known]:
    """Targets that have the figure 5, and what is known of them."""
    store = StateStore()
    store.set_targets(map(target, NAMES))
    for name in NAMES:
        store.record(name, outcome(figure(5), at=1000))
    return store, Known(0).after(0, store.snapshots())


def renewed(before: Known, after: Known) -> dict[str, list[int]]:
    """The blocks whose part was made anew, by the metric's name."""
    assert before.parts.keys() == after.parts.keys()
    found = {
        name: [
            block
            for block, (old, new) in enumerate(zip(parts, after.parts[name], strict=True))
            if old is not new
        ]
        for name, parts in before.parts.items()
    }
    return {name: blocks for name, blocks in found.items() if blocks}


@pytest.mark.parametrize(
    ("result", "metrics"),
    [
        (figure(5), TIMES | SUCCESS),
        (figure(6), TIMES | SUCCESS | CREDITS_TODAY),
        (TIMEOUT, TIMES | AMISS),
    ],
)
def test_one_poll_renews_what_it_changed_and_nothing_else(
    result: PollResult | PollFailure, metrics: set[str]
) -> None:
    store, before = polled_once()
    store.record("120", outcome(result, at=2000))
    after = before.after(1, store.snapshots())
    assert renewed(before, after) == {name: [1] for name in metrics}


def test_polls_of_all_leave_what_no_poll_changed() -> None:
    store, before = polled_once()
    for name in NAMES:
        store.record(name, outcome(figure(5), at=2000))
    found = renewed(before, before.after(1, store.snapshots()))
    assert found.keys() >= TIMES | SUCCESS
    assert set(map(tuple, found.values())) == {(0, 1, 2)}
    kept = CREDITS_TODAY | {
        "docusage_target_poll_failures_total",
        "docusage_target_interval_seconds",
    }
    assert found.keys().isdisjoint(kept)


def test_nothing_is_renewed_where_nothing_happened() -> None:
    store, before = polled_once()
    after = before.after(1, store.snapshots())
    assert after.at == 1
    assert not renewed(before, after)


def test_a_target_with_other_settings_shows_them() -> None:
    store, before = polled_once()
    others = [target(name, poll={"interval": "7m"} if name == "7" else {}) for name in NAMES]
    store.set_targets(others)
    found = renewed(before, before.after(1, store.snapshots()))
    assert found["docusage_target_interval_seconds"] == [0]
