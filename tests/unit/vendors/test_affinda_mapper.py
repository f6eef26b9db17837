"""Affinda's daily figures as windows and allowances, with literal figures.

Most days use a power of two, so that a sum tells which days it holds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from vendor_calls import affinda_settings, series, values

from exporter.model import Allowance, Anomaly, ScopeUsage, UsageHistory, compact_days
from exporter.vendors.affinda.api import Scope, Usage
from exporter.vendors.affinda.mapper import poll_result
from exporter.vendors.affinda.metrics import CREDITS, METRICS

ORGANIZATION = Scope("organization", "oRg1")
WORKSPACE = Scope("workspace", "wS1")
LEAP_YEAR = {
    date(2024, 3, 2): 1,
    date(2024, 3, 1): 2,
    date(2024, 2, 29): 4,
    date(2024, 2, 25): 8,  # the 7th day back, the current one included
    date(2024, 2, 24): 16,
    date(2024, 2, 2): 32,  # the 30th
    date(2024, 2, 1): 64,
    date(2024, 1, 1): 128,
    date(2023, 12, 31): 256,
    date(2023, 3, 4): 512,  # the 365th
    date(2023, 3, 3): 1024,
}


def usage(days: dict[date, int], end: date, start: date | None = None) -> Usage:
    first = start or end - timedelta(days=365)
    return Usage(first, tuple(days.get(day, 0) for day in dates(first, end)))


def dates(first: date, last: date) -> list[date]:
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def windows(days: dict[date, int], end: date, start: date | None = None) -> dict[str, float]:
    """The organization's windows by their suffix."""
    found = poll_result(affinda_settings(), {ORGANIZATION: usage(days, end, start)}, {})
    credits_ = values(found, CREDITS["organization"].values())
    return {name.removeprefix("affinda_credits_"): value for name, value in credits_.items()}


def test_every_window_holds_exactly_its_days() -> None:
    assert windows(LEAP_YEAR, date(2024, 3, 2)) == {
        "daily": 1,
        "previous_day": 2,
        "last_7_days": 15,
        "last_30_days": 63,
        "last_365_days": 1023,
        "month_to_date": 3,
        "year_to_date": 255,
    }


def test_a_leap_day_is_a_day_like_any_other() -> None:
    found = windows(LEAP_YEAR, date(2024, 2, 29))
    assert (found["daily"], found["previous_day"], found["month_to_date"]) == (4, 0, 124)


def test_a_new_year_begins_at_zero() -> None:
    days = {date(2026, 1, 1): 1, date(2025, 12, 31): 2, date(2025, 12, 26): 4}
    assert windows(days, date(2026, 1, 1)) == {
        "daily": 1,
        "previous_day": 2,
        "last_7_days": 7,
        "last_30_days": 7,
        "last_365_days": 7,
        "month_to_date": 1,
        "year_to_date": 1,
    }


def test_a_day_without_use_is_zero_and_not_absent() -> None:
    assert set(windows({}, date(2026, 5, 17)).values()) == {0}


def test_a_late_post_changes_every_window_that_holds_its_day() -> None:
    late = LEAP_YEAR | {date(2024, 2, 29): 4 + 4096}
    found = windows(late, date(2024, 3, 2))
    assert (found["daily"], found["month_to_date"]) == (1, 3)
    assert (found["last_7_days"], found["last_365_days"]) == (15 + 4096, 1023 + 4096)


def test_a_correction_can_make_a_window_negative() -> None:
    found = windows({date(2026, 5, 17): -6, date(2026, 5, 16): 4}, date(2026, 5, 17))
    assert (found["daily"], found["previous_day"], found["last_7_days"]) == (-6, 4, -2)


@pytest.mark.parametrize(
    ("start", "names"),
    [
        (date(2024, 3, 2), "daily"),
        (date(2024, 3, 1), "daily month_to_date previous_day"),
        (date(2024, 2, 26), "daily month_to_date previous_day"),
        (date(2024, 2, 25), "daily last_7_days month_to_date previous_day"),
        (date(2024, 2, 2), "daily last_30_days last_7_days month_to_date previous_day"),
        (
            date(2024, 1, 1),
            "daily last_30_days last_7_days month_to_date previous_day year_to_date",
        ),
        (
            date(2023, 3, 4),
            "daily last_30_days last_365_days last_7_days month_to_date previous_day year_to_date",
        ),
    ],
    ids=str,
)
def test_a_window_that_the_response_does_not_cover_is_absent(start: date, names: str) -> None:
    assert " ".join(sorted(windows(LEAP_YEAR, date(2024, 3, 2), start))) == names


def test_on_the_last_day_of_a_leap_year_the_usual_window_holds_the_year() -> None:
    end = date(2024, 12, 31)
    assert windows({date(2024, 1, 1): 5}, end)["year_to_date"] == 5
    assert "year_to_date" not in windows({}, end, date(2024, 1, 2))


def test_scopes_have_names_of_their_own_and_no_yearly_windows() -> None:
    whole, part = usage({date(2026, 5, 17): 9}, date(2026, 5, 17)), usage({}, date(2026, 5, 17))
    found = poll_result(
        affinda_settings(),
        {ORGANIZATION: whole, WORKSPACE: part, Scope("documentType", "dT1"): whole},
        {"organization": {"oRg1": "Acme"}, "workspace": {"wS1": "Claims", "wS2": "gone"}},
    )
    own = {"daily", "previous_day", "last_7_days", "last_30_days", "month_to_date"}
    yearly = {"last_365_days", "year_to_date"}
    assert series(found) == {
        **{f"affinda_credits_{window}{{oRg1}}": 9 for window in own | yearly},
        "affinda_credits_previous_day{oRg1}": 0,
        **{f"affinda_workspace_credits_{window}{{oRg1,wS1}}": 0 for window in own},
        **{f"affinda_document_type_credits_{window}{{oRg1,dT1}}": 9 for window in own},
        "affinda_document_type_credits_previous_day{oRg1,dT1}": 0,
        "affinda_usage_day_timestamp_seconds{oRg1}": 1_778_976_000.0,
        "affinda_organization_info{oRg1,Acme}": 1,
        "affinda_workspace_info{oRg1,wS1,Claims}": 1,
    }
    assert datetime.fromtimestamp(1_778_976_000, UTC) == datetime(2026, 5, 17, tzinfo=UTC)


def test_every_scope_has_its_daily_use_and_its_name() -> None:
    today = date(2026, 5, 17)
    whole = usage({date(2026, 5, 16): 7, today: 2}, today, date(2026, 5, 15))
    part = unknown(date(2026, 5, 15))._replace(anomalies=())
    lost = unknown(today)
    found = poll_result(
        affinda_settings(allowance=MONTHLY | {"period": "prepaid", "starts": "2026-05-15"}),
        {ORGANIZATION: whole, WORKSPACE: part, Scope("documentType", "dT1"): lost},
        {"organization": {"oRg1": "Acme"}, "workspace": {"wS1": "Claims"}},
    )
    midnight = unix(2026, 5, 17)
    assert found.scopes == (
        ScopeUsage(
            "organization",
            "oRg1",
            "Acme",
            "credits",
            UsageHistory(midnight, midnight, 2, compact_days([0, 7])),
        ),
        ScopeUsage(
            "workspace",
            "wS1",
            "Claims",
            "credits",
            UsageHistory(midnight, midnight, 2, compact_days([2])),
        ),
        ScopeUsage("document_type", "dT1", "", "credits", None),
    )
    assert found.allowances[0].history is found.scopes[0].history


def test_every_scope_has_the_organizations_current_day() -> None:
    today = date(2026, 5, 17)
    ahead = usage({date(2026, 5, 18): 1, today: 2}, date(2026, 5, 18))
    found = poll_result(affinda_settings(), {ORGANIZATION: usage({}, today), WORKSPACE: ahead}, {})
    assert series(found)["affinda_workspace_credits_daily{oRg1,wS1}"] == 2
    behind = usage({date(2026, 5, 16): 3}, date(2026, 5, 16))
    found = poll_result(affinda_settings(), {ORGANIZATION: usage({}, today), WORKSPACE: behind}, {})
    of_scope = {name: value for name, value in series(found).items() if "wS1" in name}
    assert of_scope == {"affinda_workspace_credits_previous_day{oRg1,wS1}": 3}


def test_a_part_that_exceeds_the_whole_on_complete_days_is_an_anomaly() -> None:
    today, yesterday = date(2026, 5, 17), date(2026, 5, 16)
    whole = usage({today: 1, yesterday: 5}, today)
    for part, anomalies in (
        (usage({today: 9, yesterday: 5}, today), ()),  # today is still being counted
        (usage({yesterday: 6}, today), (Anomaly.SCOPE_MISMATCH,)),
        (usage({yesterday: 6}, today, yesterday), ()),  # too short a window to tell
    ):
        found = poll_result(affinda_settings(), {ORGANIZATION: whole, WORKSPACE: part}, {})
        assert found.anomalies == anomalies


def test_the_anomalies_of_all_responses_are_counted() -> None:
    anomalies = Usage(date(2026, 5, 17), (0,), (Anomaly.UNKNOWN_FIELD,))
    found = poll_result(affinda_settings(), {ORGANIZATION: anomalies, WORKSPACE: anomalies}, {})
    assert found.anomalies == (Anomaly.UNKNOWN_FIELD, Anomaly.UNKNOWN_FIELD)


def allowance(
    purchased: dict[str, object], days: dict[date, int], end: date, start: date | None = None
) -> Allowance | None:
    settings = affinda_settings(allowance=purchased)
    found = poll_result(settings, {ORGANIZATION: usage(days, end, start)}, {})
    return found.allowances[0] if found.allowances else None


def unix(year: int, month: int, day: int) -> float:
    return datetime(year, month, day, tzinfo=UTC).timestamp()


def rounded(left: Allowance) -> Allowance:
    """With the estimates rounded, as they come from sums of fractions."""
    names = ("burn_per_day", "exhaustion", "exhaustion_earliest", "exhaustion_latest")
    found = {name: round(getattr(left, name), 3) for name in (*names, "projected_used")}
    return replace(left, **found)


MONTHLY: dict[str, object] = {"credits": 100, "period": "month"}
EVERY_DAY = dict.fromkeys(dates(date(2025, 5, 1), date(2026, 12, 31)), 2)


def test_of_a_monthly_allowance_this_months_use_is_gone() -> None:
    # 2 a day since the 1st of May: 34; the remaining 66 last 33 days after the 17th
    left = allowance(MONTHLY, EVERY_DAY, date(2026, 5, 17))
    assert left is not None
    assert rounded(left) == Allowance(
        account="oRg1",
        allowance="credits",
        allowance_name="monthly credits",
        unit="credits",
        allowed=100,
        used=34,
        available=66,
        burn_per_day=2.0,
        exhaustion=unix(2026, 6, 20),
        exhaustion_earliest=unix(2026, 6, 20) - 0.2 * 86_400,  # steady, but not over a day's hours
        exhaustion_latest=unix(2026, 6, 20) + 0.2 * 86_400,
        projected_used=62,
        renews=True,
        start=unix(2026, 5, 1),
        end=unix(2026, 6, 1),
    )


def test_its_figures_are_metrics_and_so_is_the_price() -> None:
    purchased = MONTHLY | {"price_per_credit": 0.25, "currency": "EUR"}
    days = {ORGANIZATION: usage(EVERY_DAY, date(2026, 5, 17))}
    found = series(poll_result(affinda_settings(allowance=purchased), days, {}))
    expected = {
        "affinda_credits_allowed{oRg1}": 100,
        "affinda_credits_used{oRg1}": 34,
        "affinda_credits_available{oRg1}": 66,
        "affinda_credit_price{oRg1,EUR}": 0.25,
    }
    assert expected.items() <= found.items()
    without = series(poll_result(affinda_settings(allowance=MONTHLY), days, {}))
    assert set(found) - set(without) == {"affinda_credit_price{oRg1,EUR}"}


def test_a_new_period_is_full_and_forecast_from_the_last_one() -> None:
    left = allowance(MONTHLY, EVERY_DAY, date(2026, 6, 1))
    assert left is not None
    assert (left.used, left.available, rounded(left).burn_per_day) == (2, 98, 2.0)
    assert rounded(left).exhaustion == unix(2026, 7, 21)  # today's 2 are used, 98 more last 49 days


def test_an_exhausted_allowance_has_the_day_that_used_the_last_credit() -> None:
    left = allowance({"credits": 20, "period": "month"}, EVERY_DAY, date(2026, 5, 17))
    assert left is not None
    assert (left.used, left.available, left.ratio) == (34, 0, 0.0)
    assert left.exhaustion == unix(2026, 5, 10)


def test_an_allowance_of_0_credits_has_no_ratio_and_is_not_exhausted() -> None:
    left = allowance({"credits": 0, "period": "month"}, EVERY_DAY, date(2026, 5, 17))
    assert left is not None
    assert (left.allowed, left.used, left.available) == (0, 34, 0)
    assert (left.ratio, left.exhaustion) == (None, None)


def test_what_nobody_uses_is_never_exhausted() -> None:
    left = allowance({"credits": 100, "period": "month"}, {}, date(2026, 5, 17))
    assert left is not None
    assert (left.burn_per_day, left.exhaustion, left.projected_used) == (0.0, None, 0)


def test_an_allowance_that_is_no_longer_used_is_never_exhausted() -> None:
    left = allowance(MONTHLY, {date(2026, 1, 5): 10}, date(2026, 5, 17))
    assert left is not None
    assert (left.burn_per_day, left.exhaustion, left.projected_used) == (0.0, None, 0)


def unknown(day: date, unreadable: tuple[str, ...] = ()) -> Usage:
    """2 credits on every day until 17 May, with one day unknown."""
    whole = usage(EVERY_DAY, date(2026, 5, 17))
    counts = list(whole.counts)
    counts[(day - whole.start).days] = None
    return whole._replace(counts=tuple(counts), unreadable=unreadable)


@pytest.mark.parametrize(
    ("day", "absent"),
    [
        (
            date(2026, 5, 17),
            "daily last_7_days last_30_days last_365_days month_to_date year_to_date",
        ),
        (date(2026, 5, 1), "last_30_days last_365_days month_to_date year_to_date"),
        (date(2026, 1, 1), "last_365_days year_to_date"),
        (date(2025, 6, 1), "last_365_days"),
    ],
)
def test_an_unknown_day_costs_the_windows_that_hold_it(day: date, absent: str) -> None:
    whole = series(poll_result(affinda_settings(), {ORGANIZATION: unknown(date(2025, 5, 17))}, {}))
    found = series(poll_result(affinda_settings(), {ORGANIZATION: unknown(day)}, {}))
    lost = {f"affinda_credits_{window}{{oRg1}}" for window in absent.split()}
    assert found == {name: value for name, value in whole.items() if name not in lost}


def test_an_unknown_day_of_the_period_costs_what_is_left_and_nothing_else() -> None:
    days = {ORGANIZATION: unknown(date(2026, 5, 1))}
    purchased = MONTHLY | {"price_per_credit": 0.25, "currency": "EUR"}
    found = poll_result(affinda_settings(allowance=purchased), days, {})
    (left,) = found.allowances
    assert (left.allowed, left.used, left.available, left.exhaustion) == (100, None, None, None)
    assert (left.start, left.end) == (unix(2026, 5, 1), unix(2026, 6, 1))
    samples = {name: value for name, value in series(found).items() if "credit_" in name}
    assert samples == {"affinda_credit_price{oRg1,EUR}": 0.25}
    assert series(found)["affinda_credits_allowed{oRg1}"] == 100
    assert "affinda_credits_used{oRg1}" not in series(found)


@pytest.mark.parametrize(
    ("day", "burn_per_day"),
    [(date(2026, 4, 30), None), (date(2026, 4, 19), None), (date(2026, 4, 18), 2.0)],
)
def test_an_unknown_day_of_the_last_four_weeks_costs_the_forecast_alone(
    day: date, burn_per_day: float | None
) -> None:
    days = {ORGANIZATION: unknown(day)}
    (left,) = poll_result(affinda_settings(allowance=MONTHLY), days, {}).allowances
    assert (left.used, left.available, left.ratio) == (34, 66, 0.66)
    assert left.burn_per_day == (burn_per_day and pytest.approx(burn_per_day))
    assert (left.exhaustion is None) == (burn_per_day is None)
    assert left.history is not None
    assert len(left.history.days) == (date(2026, 5, 17) - day).days - 1


def test_fields_that_cannot_be_read_are_named_with_their_scope() -> None:
    fields = tuple(f"count of 2026-05-0{day}" for day in range(1, 6))
    found = poll_result(
        affinda_settings(),
        {ORGANIZATION: unknown(date(2026, 5, 1)), WORKSPACE: unknown(date(2026, 5, 1), fields)},
        {},
    )
    (note,) = found.notes
    assert note == (
        "workspace wS1: cannot read count of 2026-05-01, count of 2026-05-02, "
        "count of 2026-05-03 and 2 more"
    )


def test_why_a_configured_allowance_is_absent_is_a_note() -> None:
    today = date(2026, 5, 17)
    later = "the allowance starts on 2026-05-18: it is not exposed before"
    earlier = (
        "the allowance began on 2025-05-16, before the response's first day (2025-05-17): "
        "what is left is unknown"
    )
    for starts, note in (("2026-05-18", later), ("2025-05-16", earlier)):
        purchased = {"credits": 100, "period": "prepaid", "starts": starts}
        days = {ORGANIZATION: usage(EVERY_DAY, today)}
        found = poll_result(affinda_settings(allowance=purchased), days, {})
        assert (found.allowances, found.notes) == ((), (note,))


def test_a_refund_gives_credits_back_and_never_more_than_a_full_ratio() -> None:
    left = allowance(MONTHLY, {date(2026, 5, 4): 30, date(2026, 5, 16): -50}, date(2026, 5, 17))
    assert left is not None
    assert (left.used, left.available, left.ratio) == (-20, 120, 1.0)
    assert left.burn_per_day == 0.0  # the refund takes back all that was used


@pytest.mark.parametrize(
    ("purchased", "used", "end"),
    [
        ({"period": "month", "starts": "2026-01-15"}, 6, unix(2026, 6, 15)),
        ({"period": "quarter"}, 94, unix(2026, 7, 1)),
        ({"period": "year"}, 274, unix(2027, 1, 1)),
        ({"period": "year", "starts": "2020-05-17"}, 2, unix(2027, 5, 17)),
        ({"period": "year", "starts": "2020-05-18"}, 730, unix(2026, 5, 18)),
        ({"period": "prepaid", "starts": "2026-05-10"}, 16, None),
        (
            {"period": "prepaid", "starts": "2026-05-10", "ends": "2026-05-17"},
            16,
            unix(2026, 5, 18),
        ),
    ],
    ids=str,
)
def test_each_period_counts_from_its_own_first_day(
    purchased: dict[str, object], used: int, end: float | None
) -> None:
    left = allowance({"credits": 1000} | purchased, EVERY_DAY, date(2026, 5, 17))
    assert left is not None
    assert (left.used, left.end) == (used, end)


def test_a_prepayment_that_is_over_keeps_its_figures_and_is_never_exhausted() -> None:
    purchased = {"credits": 100, "period": "prepaid", "starts": "2026-05-01", "ends": "2026-05-10"}
    left = allowance(purchased, EVERY_DAY, date(2026, 5, 17))
    assert left is not None
    assert (left.used, left.available, left.exhaustion) == (20, 80, None)
    assert left.end == unix(2026, 5, 11)


def test_a_prepayment_that_was_exhausted_before_its_end_has_the_day() -> None:
    purchased = {"credits": 10, "period": "prepaid", "starts": "2026-05-01", "ends": "2026-05-10"}
    left = allowance(purchased, EVERY_DAY, date(2026, 5, 17))
    assert left is not None
    assert left.exhaustion == unix(2026, 5, 5)


def test_before_a_prepayment_starts_there_is_no_allowance() -> None:
    purchased = {"credits": 100, "period": "prepaid", "starts": "2026-05-18"}
    assert allowance(purchased, EVERY_DAY, date(2026, 5, 17)) is None


def test_an_allowance_whose_start_the_response_does_not_cover_is_absent() -> None:
    purchased = {"credits": 100, "period": "prepaid", "starts": "2025-05-16"}
    assert allowance(purchased, EVERY_DAY, date(2026, 5, 17)) is None
    left = allowance(purchased, EVERY_DAY, date(2026, 5, 17), date(2025, 5, 16))
    assert left is not None
    assert left.used == 2 * 367


def test_the_first_weeks_of_figures_have_a_forecast_as_well() -> None:
    left = allowance(MONTHLY, EVERY_DAY, date(2026, 5, 17), date(2026, 5, 1))
    assert left is not None
    left = rounded(left)
    assert (left.used, left.burn_per_day, left.exhaustion) == (34, 2.0, unix(2026, 6, 20))


def test_every_allowance_but_a_prepaid_one_renews() -> None:
    renews = {}
    for period in ("month", "quarter", "year", "prepaid"):
        purchased = MONTHLY | {"period": period, "starts": "2026-05-17"}
        left = allowance(purchased, EVERY_DAY, date(2026, 5, 17))
        renews[period] = left is not None and left.renews
    assert renews == {"month": True, "quarter": True, "year": True, "prepaid": False}


def test_days_before_the_last_year_do_not_change_the_forecast() -> None:
    days = dict.fromkeys(dates(date(2025, 1, 1), date(2025, 5, 15)), 1000) | EVERY_DAY
    purchased = {"credits": 10**6, "period": "prepaid", "starts": "2025-01-01"}
    first, today = date(2025, 1, 1), date(2026, 5, 17)
    left = allowance(
        purchased, days | dict.fromkeys(dates(first, date(2025, 5, 15)), 1000), today, first
    )
    plain = allowance(purchased | {"starts": "2025-05-16"}, EVERY_DAY, today, date(2025, 5, 16))
    assert left is not None
    assert plain is not None
    assert left.burn_per_day == plain.burn_per_day


def test_the_catalogue_names_no_metric_twice() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names) == 7 + 5 + 5 + 1 + 3 + 4
