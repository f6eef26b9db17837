from __future__ import annotations

import json

import pytest
from fake_targets import TIMEOUT, allowance, outcome, target

from exporter.config.models import Alerts
from exporter.model import FailureReason, PollOutcome, PollResult, ScopeFailure
from exporter.state.presentation import (
    format_account,
    format_allowance,
    format_allowance_name,
    format_date,
    format_number,
    format_state,
    severity,
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
    ("fields", "text"),
    [
        ({"allowed": None, "available": None}, "credits: 700 used"),
        ({"allowed": 0, "available": 0}, "credits: 700 used, 0 left, 0 allowed"),
        ({"used": None, "available": None}, "credits: 1,000 allowed"),
        ({"allowed": None}, "credits: 700 used, 300 left"),
        ({"allowed": None, "used": None, "available": None}, "credits: unknown"),
    ],
)
def test_of_an_allowance_without_a_share_the_known_figures_are_shown(
    fields: dict[str, object], text: str
) -> None:
    assert format_allowance(allowance(fields)) == text


@pytest.mark.parametrize(
    ("name", "identifier", "text"),
    [
        ("", "71", "71"),
        ("Yearly", "71", "Yearly (71)"),
        ("monthly credits", "credits", "monthly credits"),
        ("Plan A", "", "Plan A"),
    ],
)
def test_an_allowance_is_shown_with_its_name_and_identifier(
    name: str, identifier: str, text: str
) -> None:
    shown = allowance({"allowance": identifier, "allowance_name": name})
    assert format_allowance_name(shown) == text
    assert format_account(allowance({"account": identifier, "account_name": name})) == text


@pytest.mark.parametrize(
    ("available", "expected"),
    [(300, "fine"), (299, "warning"), (50, "warning"), (49, "critical"), (None, "fine")],
)
def test_the_severity_is_by_the_alert_thresholds(available: float | None, expected: str) -> None:
    alerts = Alerts(warning_ratio=0.3, critical_ratio=0.05)
    assert severity(allowance({"available": available}), alerts) == expected


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
    "scope_failures": [],
    "notes": [],
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
            "exhaustion_earliest": 1_789_000_000,
            "exhaustion_latest": 1_791_000_000,
            "projected_used": 1250,
            "projected_used_ratio": 1.25,
            "renews": True,
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


def test_parts_that_cannot_be_read_and_notes_are_in_the_json() -> None:
    gone = ScopeFailure(
        "workspace w1", FailureReason.CLIENT_ERROR, "HTTP status 404", "workspace", "w1"
    )
    result = PollResult((), scope_failures=(gone,), notes=("cannot read price of plan 7",))
    found = to_json(snapshot(outcome(result)))
    assert json.loads(json.dumps(found["scope_failures"])) == [
        {
            "scope": "workspace w1",
            "reason": "client_error",
            "detail": "HTTP status 404",
            "last_success": None,
        }
    ]
    assert found["notes"] == ["cannot read price of plan 7"]
    assert found["up"] is True
