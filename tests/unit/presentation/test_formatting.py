"""A target's state as text and as JSON."""

from __future__ import annotations

import json

import pytest
from fake_targets import TIMEOUT, allowance, outcome, target

from exporter.config.models import Alerts
from exporter.model import FailureReason, PollOutcome, PollResult, ScopeFailure
from exporter.presentation.formatting import (
    format_account,
    format_allowance,
    format_allowance_name,
    format_date,
    format_end,
    format_exhaustion,
    format_exhaustion_range,
    format_number,
    format_percent,
    format_projection,
    format_rounded_duration,
    format_state,
    is_used_up,
    runs_out_early,
    severity,
)
from exporter.presentation.serialize import to_json
from exporter.state.store import TargetSnapshot, TargetState

NOW = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC
HOUR, DAY = 3600, 86_400


def snapshot(*outcomes: PollOutcome, is_stale: bool = False) -> TargetSnapshot:
    state = TargetState()
    for each in outcomes:
        state = state.after(each, 0)
    return TargetSnapshot(target(), state, is_stale)


def test_the_text_of_a_state_names_reason_and_detail() -> None:
    assert format_state(snapshot()) == "not polled yet"
    assert format_state(snapshot(outcome())) == "up"
    text = "down: timeout: not complete within 20 seconds"
    assert format_state(snapshot(outcome(), outcome(TIMEOUT))) == text


def test_the_text_of_an_allowance_says_how_much_is_left() -> None:
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
        (0.04, "<0.1"),
        (0.05, "0.1"),
        (2.25, "2.2"),
        (9, "9"),
        (9.96, "10.0"),
        (12.7, "13"),
        (1234.5, "1,234"),
        (1_000_000, "1,000,000"),
    ],
)
def test_numbers_below_ten_have_a_decimal_place(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (12.345, "1,234 %"),
        (1.001, "101 %"),
        (1, "100 %"),
        (0.9999, "99 %"),
        (0.995, "99 %"),
        (0.2, "20 %"),
        (0.01, "1 %"),
        (0.001, "<1 %"),
        (0, "0 %"),
    ],
)
def test_a_percentage_is_never_rounded_to_all_or_nothing(ratio: float, text: str) -> None:
    assert format_percent(ratio) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "1 h"),
        (7200, "2 h"),
        (47 * HOUR, "47 h"),
        (2 * DAY, "2 d"),
        (1200 * DAY, "1,200 d"),
    ],
)
def test_a_duration_is_rounded_to_one_unit_and_is_in_hours_below_two_days(
    seconds: float, text: str
) -> None:
    assert format_rounded_duration(seconds) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2026-05-28 20:26 UTC (now)"),
        (NOW + 600, "2026-05-28 20:36 UTC (in 10 min)"),
        (NOW + 26 * HOUR, "2026-05-29 22:26 UTC (in 26 h)"),
        (NOW - 3 * HOUR, "2026-05-28 17:26 UTC (3 h ago)"),
        (NOW + 2 * DAY, "2026-05-30 (in 2 d)"),
        (NOW + 1200 * DAY, "2029-09-09 (in 1,200 d)"),
        (NOW - 3 * DAY, "2026-05-25 (3 d ago)"),
        (NOW + 4000 * DAY, "in over 10 years"),
        (1e300, "in over 10 years"),
        (-1e300, "over 10 years ago"),
    ],
)
def test_a_date_has_its_distance_and_within_two_days_the_hour(moment: float, text: str) -> None:
    assert format_date(moment, NOW) == text


@pytest.mark.parametrize(
    ("exhaustion", "available", "text"),
    [
        (None, 300, ""),
        (None, 0, "used up"),
        (NOW + 3 * DAY, 300, "runs out 2026-05-31 (in 3 d)"),
        (NOW + HOUR, 300, "runs out 2026-05-28 21:26 UTC (in 1 h)"),
        (NOW - HOUR, 300, "runs out 2026-05-28 20:26 UTC (now)"),  # since the last poll
        (NOW - 20 * HOUR, 0, "ran out 2026-05-28 (today)"),
        (NOW - 21 * HOUR, 0, "ran out 2026-05-27 (1 d ago)"),
        (-1e300, 0, "ran out over 10 years ago"),
        (NOW - 30 * DAY, 0, "ran out 2026-04-28 (30 d ago)"),
    ],
)
def test_an_allowance_runs_out_in_the_future_and_ran_out_in_the_past(
    exhaustion: float | None, available: float, text: str
) -> None:
    changed = allowance({"exhaustion": exhaustion, "available": available})
    assert format_exhaustion(changed, NOW) == text


@pytest.mark.parametrize(
    ("earliest", "latest", "text"),
    [
        (NOW + 2 * DAY, NOW + 9 * DAY, "2026-05-30 to 2026-06-06"),
        (NOW - 2 * DAY, NOW + 2 * DAY, "2026-05-28 to 2026-05-30"),  # the last poll is old
        (NOW + 2 * DAY, NOW + 4000 * DAY, "2026-05-30 or later"),
        (NOW + 2 * DAY, NOW + 2 * DAY + HOUR, ""),
        (NOW + 4000 * DAY, 1e300, ""),
        (None, NOW, ""),
        (NOW, None, ""),
    ],
)
def test_the_range_of_a_run_out_is_shown_in_days(
    earliest: float | None, latest: float | None, text: str
) -> None:
    fields = {"exhaustion_earliest": earliest, "exhaustion_latest": latest}
    assert format_exhaustion_range(allowance(fields), NOW) == text
    assert format_exhaustion_range(allowance(fields | {"available": 0}), NOW) == ""


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "125 %"),
        ({"projected_used": 1000}, "100 %"),
        ({"projected_used": 1001}, "101 %"),
        ({"projected_used": None}, ""),
        ({"allowed": None}, ""),
        ({"end": None}, ""),
        ({"end": NOW}, ""),
        ({"available": 0}, ""),
    ],
)
def test_the_use_by_the_end_of_a_period_is_a_percentage(
    fields: dict[str, float | None], text: str
) -> None:
    assert format_projection(allowance(fields), NOW) == text


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (None, ""),
        (NOW + 3 * DAY, "ends 2026-05-31 (in 3 d)"),
        (NOW - 3 * DAY, "ended 2026-05-25 (3 d ago)"),
    ],
)
def test_a_period_ends_in_the_future_and_ended_in_the_past(end: float | None, text: str) -> None:
    assert format_end(allowance({"end": end}), NOW) == text


@pytest.mark.parametrize(
    ("fields", "is_early"),
    [
        ({"exhaustion": NOW, "end": NOW + 1}, True),
        ({"exhaustion": NOW, "end": NOW}, False),
        ({"exhaustion": NOW, "end": None}, False),
        ({"exhaustion": None, "end": NOW}, False),
        ({"exhaustion": NOW, "end": NOW + 1, "available": 0}, False),
    ],
)
def test_an_allowance_runs_out_early_if_something_is_left_and_does_not_last(
    fields: dict[str, float | None], *, is_early: bool
) -> None:
    assert runs_out_early(allowance(fields)) is is_early


@pytest.mark.parametrize(
    ("allowed", "available", "expected"), [(10, 0, True), (10, 0.5, False), (0, 0, False)]
)
def test_only_an_allowance_of_which_something_was_purchased_is_used_up(
    allowed: float, available: float, *, expected: bool
) -> None:
    assert is_used_up(allowance({"allowed": allowed, "available": available})) is expected


UNKNOWN = {
    "name": "one",
    "vendor": "acme",
    "up": False,
    "stale": False,
    "last_poll": None,
    "last_success": None,
    "failing_since": None,
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
    "failing_since": 1_780_001_000,
    "next_poll": 1_780_001_900,
    "last_error": {"reason": "timeout", "detail": "not complete within 20 seconds"},
}
THEN = outcome(TIMEOUT, at=1_780_001_000)


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (snapshot(), UNKNOWN),
        (snapshot(outcome()), KNOWN),
        (snapshot(outcome(), THEN), FAILED),
        (snapshot(outcome(), THEN, is_stale=True), FAILED | {"stale": True, "allowances": []}),
        (snapshot(outcome(PollResult(()))), KNOWN | {"allowances": []}),
    ],
    ids=["not polled", "up", "down", "stale", "without allowance"],
)
def test_a_target_is_converted_to_json(
    current: TargetSnapshot, expected: dict[str, object]
) -> None:
    assert json.loads(json.dumps(to_json(current))) == expected


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
