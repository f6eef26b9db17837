"""Daily use of a target's scopes: windows, what is derived from totals, and sums."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_targets import allowance, outcome
from pages_of_targets import DAY, NOW, affinda_result, polled, settings, use, xtracta_target

from exporter.model import PollResult, ScopeUsage, UsageHistory
from exporter.state.scope_usage import UsageSums, scopes_of, total_use, usage_sums
from exporter.state.store import TargetState

MIDNIGHT = 1_794_960_000.0  # Wednesday, 18 November 2026


def history(*days: int, used_today: int = 5, today: float = MIDNIGHT) -> UsageHistory:
    return UsageHistory(today, today, used_today, days)


def state(*scopes: ScopeUsage) -> TargetState:
    return TargetState(result=PollResult((), scopes=scopes))


@pytest.mark.parametrize(
    ("days", "sums"),
    [
        ([1] * 40, UsageSums(5, 1, 11, 34, 22)),
        ([1] * 17, UsageSums(5, 1, 11, None, 22)),
        ([1] * 5, UsageSums(5, 1, None, None, None)),
        ([], UsageSums(5, None, None, None, None)),
    ],
)
def test_a_window_with_an_unknown_day_is_unknown(days: list[int], sums: UsageSums) -> None:
    assert usage_sums(history(*days)) == sums


def test_nothing_is_known_before_the_first_successful_poll() -> None:
    assert scopes_of(TargetState()) == ()
    assert total_use(TargetState(), 30) is None


def test_what_the_vendor_reports_comes_first_and_the_whole_is_the_total() -> None:
    target = settings("acme")
    found = polled(target, affinda_result(target, {"whole": (5, 7, 2), "wSp1": (1, 1, 1)})).state
    assert [scope.name for scope in scopes_of(found)] == ["Acme", "Claims"]
    assert total_use(found, 30) == ("credits", [5, 7, 2])
    assert total_use(found, 2) == ("credits", [7, 2])


def test_without_the_whole_there_is_no_total() -> None:
    unknown = ScopeUsage("organization", "org", "Acme", "credits", None)
    part = ScopeUsage("workspace", "w1", "", "credits", history(1))
    assert total_use(state(unknown, part), 30) is None


def test_the_days_of_totals_are_those_that_were_observed_in_full() -> None:
    (scope,) = scopes_of(xtracta_target(polls=4).state)
    assert (scope.label, scope.value, scope.name, scope.unit) == (
        "allowance",
        "4101/7101",
        "4101 · Yearly (7101)",
        "documents",
    )
    found = scope.history
    assert found is not None
    assert (found.at, found.today, len(found.days)) == (NOW, NOW - NOW % DAY, 2)
    assert scopes_of(xtracta_target(polls=1).state)[0].history is None


def test_totals_of_several_allowances_are_added_up_by_day_where_the_unit_is_the_same() -> None:
    plans = [
        allowance({"allowance": name, "unit": unit, "cumulative_only": True, "used": 0})
        for name, unit in (("1", "documents"), ("2", "documents"), ("3", "pages"))
    ]
    found = TargetState()
    for day, used in enumerate((0, 3, 7, 12)):
        read = [replace(plan, used=used) for plan in plans]
        if day == 3:
            read[1] = replace(plans[1], used=None)  # not read on the last day
        found = found.after(outcome(PollResult((), tuple(read)), MIDNIGHT + day * DAY), 0.0)
    assert total_use(found, 30) == ("documents", [4 + 4, 5 + 0, 0])


def test_a_year_of_use_is_shown_for_its_last_days() -> None:
    target = settings("acme")
    found = total_use(polled(target, affinda_result(target, {"whole": use()})).state, 30)
    assert found is not None
    assert found.days == list(use()[-30:])
