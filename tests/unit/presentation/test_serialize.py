"""All that is known of one target, as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pages_of_targets import (
    DAY,
    NOW,
    TIMED_OUT,
    affinda_result,
    affinda_target,
    polled,
    settings,
    use,
    xtracta_target,
)

from exporter.presentation.serialize import to_detailed_json, to_json

if TYPE_CHECKING:
    from exporter.state.store import TargetSnapshot


def detail(snapshot: TargetSnapshot) -> dict[str, Any]:
    """As a client reads it."""
    return dict(json.loads(json.dumps(to_detailed_json(snapshot))))


def test_it_has_all_of_the_list_and_the_counts_of_polls() -> None:
    target = settings("acme")
    result = affinda_result(target, {"whole": use()})
    snapshot = polled(target, result, failure=TIMED_OUT)
    found = detail(snapshot)
    listed = to_json(snapshot)
    assert {key: found[key] for key in listed if key != "allowances"} == {
        key: value for key, value in listed.items() if key != "allowances"
    }
    assert (found["polls"], found["poll_failures"], found["api_requests"]) == (2, 1, 4)
    assert found["anomalies"] == {}


def test_scopes_have_their_days_and_sums() -> None:
    target = settings("acme")
    days: dict[str, tuple[int | None, ...]] = {"whole": (5, 7, 2), "wSp1": (1, 1, None)}
    whole, part = detail(polled(target, affinda_result(target, days)))["scopes"]
    assert whole == {
        "type": "organization",
        "id": "oRg1",
        "name": "Acme",
        "unit": "credits",
        "today": 2,
        "yesterday": 7,
        "last_7_days": None,
        "last_30_days": None,
        "month_to_date": None,
        "first_day": "2026-11-16",
        "days": [5, 7, 2],
    }
    assert (part["name"], part["first_day"], part["days"]) == ("Claims", None, [])


def test_an_allowance_has_its_projection_and_how_it_was_estimated() -> None:
    (left,) = detail(affinda_target())["allowances"]
    points = left["projection"]
    assert points[0]["used"] == left["used"]
    assert points[-1]["at"] == left["end"]
    assert points[-1]["used"] == pytest.approx(left["projected_used"])
    estimate = left["estimate"]
    assert (estimate["complete_days"], estimate["days_for_weekdays"]) == (364, 56)
    assert estimate["weekdays"][5] < estimate["weekdays"][0] / 2  # Saturday, Monday
    assert (estimate["level_since"], estimate["level_factor"]) == (None, None)


def test_days_that_count_differently_are_listed_with_both_figures() -> None:
    days = list(use())
    days[-100] *= 9
    days[-14] = 2  # a Thursday
    target = settings("acme", {"credits": 40_000, "period": "month"})
    (left,) = detail(polled(target, affinda_result(target, {"whole": tuple(days)})))["allowances"]
    (capped,) = left["estimate"]["capped_days"]
    assert (capped["date"], capped["used"]) == ("2026-08-11", days[-100])
    assert capped["counted"] == sorted(days)[-2]
    (holiday,) = left["estimate"]["holidays"]
    assert (holiday["date"], holiday["used"]) == ("2026-11-05", 2)
    assert holiday["counted"] > 500


def test_without_a_forecast_there_is_neither() -> None:
    target = settings("acme", {"credits": 40_000, "period": "month"})
    days = [*use()[:-5], None, *use()[-4:]]
    (left,) = detail(polled(target, affinda_result(target, {"whole": tuple(days)})))["allowances"]
    assert (left["projection"], left["estimate"]) == ([], None)


def test_an_allowance_without_an_end_has_no_projection() -> None:
    starts = {"credits": 400_000, "period": "prepaid", "starts": "2026-07-01"}
    (left,) = detail(affinda_target(allowance=starts))["allowances"]
    assert left["projection"] == []
    assert left["estimate"]["complete_days"] == 364


def test_a_projection_is_at_most_a_year_long() -> None:
    ends = {"credits": 10**7, "period": "prepaid", "starts": "2026-07-01", "ends": "2036-07-01"}
    (left,) = detail(affinda_target(allowance=ends))["allowances"]
    assert left["projection"][-1]["at"] == NOW - NOW % DAY + 366 * DAY


def test_what_is_known_of_totals_is_their_mean() -> None:
    (left,) = detail(xtracta_target())["allowances"]
    estimate = left["estimate"]
    assert estimate["complete_days"] == 0
    assert round(estimate["earlier_days"]) == 140
    assert round(estimate["earlier_per_day"]) == 80
