from __future__ import annotations

import json

import pytest
from fake_targets import TIMEOUT, allowance, outcome, target

from exporter.model import PollOutcome, PollResult
from exporter.state.presentation import (
    format_allowance,
    format_date,
    format_number,
    format_state,
    to_json,
)
from exporter.state.store import TargetSnapshot, TargetState

NOW = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC
DAY = 86_400


def snapshot(*outcomes: PollOutcome, is_stale: bool = False) -> TargetSnapshot:
    state = TargetState()
    for each in outcomes:
        state = state.after(each, 0)
    return TargetSnapshot(target(), state, is_stale)


def test_a_state_as_text() -> None:
    assert format_state(snapshot()) == "not polled yet"
    assert format_state(snapshot(outcome())) == "up"
    text = "down: timeout: not complete within 20 seconds"
    assert format_state(snapshot(outcome(), outcome(TIMEOUT))) == text


def test_an_allowance_as_text() -> None:
    large = allowance({"available": 12_345, "allowed": 50_000})
    assert format_allowance(large) == "12,345 of 50,000 credits"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.04, "0.0"),
        (2.25, "2.2"),
        (9, "9"),
        (9.96, "10.0"),
        (12.7, "13"),
        (1234.5, "1,234"),
        (1_000_000, "1,000,000"),
    ],
)
def test_numbers_have_a_decimal_place_only_below_ten(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "-"),
        (NOW, "2026-05-28 (now)"),
        (NOW + DAY / 3, "2026-05-29 (now)"),
        (NOW + DAY, "2026-05-29 (in 1 d)"),
        (NOW + 1200 * DAY, "2029-09-09 (in 1,200 d)"),
        (NOW - 3 * DAY, "2026-05-25 (3 d ago)"),
        (NOW + 4000 * DAY, "in over 10 years"),
        (1e300, "in over 10 years"),
    ],
)
def test_a_date_is_shown_with_its_distance(moment: float | None, text: str) -> None:
    assert format_date(moment, NOW) == text


UNKNOWN = {
    "name": "one",
    "vendor": "acme",
    "up": False,
    "stale": False,
    "last_poll": None,
    "last_success": None,
    "next_poll": None,
    "poll_duration_seconds": None,
    "last_error": None,
    "allowances": [],
}
KNOWN = UNKNOWN | {
    "up": True,
    "last_poll": 1_780_000_000,
    "last_success": 1_780_000_000,
    "next_poll": 1_780_000_900,
    "poll_duration_seconds": 0.25,
    "allowances": [
        {
            "account": "org",
            "account_name": "",
            "allowance": "credits",
            "allowance_name": "",
            "unit": "credits",
            "allowed": 1000,
            "used": 700,
            "available": 300,
            "available_ratio": 0.3,
            "burn_per_day": 50,
            "exhaustion": 1_790_000_000,
            "start": None,
            "end": 1_800_000_000,
        }
    ],
}
FAILED = KNOWN | {
    "up": False,
    "last_poll": 1_780_001_000,
    "next_poll": 1_780_001_900,
    "last_error": {"reason": "timeout", "detail": "not complete within 20 seconds"},
}
THEN = outcome(TIMEOUT, at=1_780_001_000)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (snapshot(), UNKNOWN),
        (snapshot(outcome()), KNOWN),
        (snapshot(outcome(), THEN), FAILED),
        (snapshot(outcome(), THEN, is_stale=True), FAILED | {"stale": True, "allowances": []}),
        (snapshot(outcome(PollResult(()))), KNOWN | {"allowances": []}),
    ],
    ids=["not polled", "up", "down", "stale", "without allowance"],
)
def test_a_target_is_described_for_programs(
    shown: TargetSnapshot, expected: dict[str, object]
) -> None:
    assert json.loads(json.dumps(to_json(shown))) == expected
