"""Forecasts against examples worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.forecast import history_of_total, with_forecast
from exporter.model import Allowance, UsageHistory

DAY = 86_400.0
ONE_DAY = timedelta(days=1)
TODAY = 1_772_150_400.0  # Friday, 27 February 2026
EVEN = [10] * 56
OFFICE = [10, 0, 0, 10, 10, 10, 10] * 8  # Friday to Thursday: nothing at weekends


def allowance(available: int, used: int = 0, **more: float | None) -> Allowance:
    return Allowance("acme", "credits", used + available, used, available, "credits", **more)  # type: ignore[arg-type]  # whatever a case needs


class Forecast(NamedTuple):
    """What is expected of an allowance; moments as days after today's midnight."""

    burn_per_day: float | None = None
    exhaustion: float | None = None
    exhaustion_earliest: float | None = None
    exhaustion_latest: float | None = None
    projected_used: float | None = None


def predict(
    days: list[int], available: int, used_today: int = 0, hour: float = 0.0, **more: float | None
) -> Forecast:
    found = with_forecast(
        allowance(available, **more),  # type: ignore[arg-type]  # as above
        UsageHistory(TODAY + hour * 3600, TODAY, used_today, days),
    )

    def in_days(moment: float | None) -> float | None:
        return None if moment is None else (moment - TODAY) / DAY

    return Forecast(
        found.burn_per_day,
        in_days(found.exhaustion),
        in_days(found.exhaustion_earliest),
        in_days(found.exhaustion_latest),
        found.projected_used,
    )


@pytest.mark.parametrize(
    ("days", "used_today", "available", "exhaustion", "burn"),
    [
        # today 10, of which 4 are used; then 10 tomorrow and 10 the day after
        pytest.param(EVEN, 4, 26, 3.0, 10.0, id="even use"),
        # today is done; nothing on Saturday and Sunday, 10 on Monday, 5 of Tuesday's 10
        pytest.param(OFFICE, 10, 15, 4.5, 50 / 7, id="over a weekend"),
        # 25 today, which is more than usual; 5 of tomorrow's 10
        pytest.param(EVEN, 25, 5, 1.5, 10.0, id="a busy day"),
        # half of what a Friday uses: 20 of 40
        pytest.param([40, *[0] * 6] * 8, 10, 10, 0.5, 40 / 7, id="within today"),
        # a refund today has raised what is available already
        pytest.param(EVEN, -7, 20, 2.0, 10.0, id="a refund today"),
        # a run of 500 was refunded the next day: 10 remain of it, and no use on that day
        pytest.param([*EVEN[:30], 500, -490, *EVEN[:24]], 0, 20, 2.0, 10.0, id="a refund"),
        pytest.param([*EVEN[:40], 0, 1, *EVEN[:14]], 0, 20, 2.0, 10.0, id="holidays"),
        # use has paused for six days, as it does over a holiday
        pytest.param([*EVEN[:50], *[0] * 6], 0, 20, 2.0, 10.0, id="a holiday until yesterday"),
        pytest.param([*EVEN[:40], 900, *EVEN[:15]], 0, 20, 2.0, 10.0, id="a bulk run"),
        # the days before the first use are unknown
        pytest.param([*[0] * 340, *[10] * 8], 0, 20, 2.0, 10.0, id="onboarding"),
        # the first day: the next ones are expected to use as much
        pytest.param([], 40, 100, 3.5, 40.0, id="the first day"),
        pytest.param([0] * 60, 40, 100, 3.5, 40.0, id="the first day after eight idle weeks"),
        # use has been five times as high on the last four days
        pytest.param([*EVEN[:52], *[50] * 4], 0, 500, 10.0, 50.0, id="a jump four days ago"),
        # use has been a fifth of the usual for eight days
        pytest.param([*EVEN[:48], *[2] * 8], 0, 20, 10.0, 2.0, id="a drop eight days ago"),
        # 366 days at 10 a day, the rest at the mean pace
        pytest.param(EVEN, 0, 1_000_000, 100_000.0, 10.0, id="far away"),
    ],
)
def test_an_allowance_lasts_as_the_cleaned_weekdays_predict(
    days: list[int], used_today: int, available: int, exhaustion: float, burn: float
) -> None:
    found = predict(days, available, used_today)
    assert found.exhaustion == pytest.approx(exhaustion)
    assert found.burn_per_day == pytest.approx(burn)


def test_a_week_of_no_use_lowers_the_burn_rate() -> None:
    found = predict([*EVEN[:49], *[0] * 7], 100)
    # The three means give the last week 15 %, 32 % and 60 % of the weight; they count equally.
    assert found.burn_per_day == pytest.approx(6.44, abs=0.01)


def test_a_change_of_level_of_three_days_is_not_yet_a_jump() -> None:
    found = predict([*EVEN[:53], *[50] * 3], 500)
    assert found.burn_per_day == pytest.approx(16.1, abs=0.1)


def test_rare_use_is_no_holiday() -> None:
    # 8 days of 56 with use of 5: 40 documents in eight weeks
    found = predict([5, 0, 0, 0, 0, 0, 0] * 8, 100)
    assert found.burn_per_day == pytest.approx(5 / 7)


def test_few_documents_a_day_have_days_without_any() -> None:
    found = predict([4, 5, 3, 4, 0, 5, 4] * 4 + [4, 0, 5, 4, 4, 3, 5] * 4, 100)
    assert found.burn_per_day == pytest.approx(25 / 7)


def test_a_third_of_low_days_are_no_holidays() -> None:
    found = predict([30, 20, 0] * 20, 100)
    assert found.burn_per_day == pytest.approx(50 / 3, rel=0.05)


@pytest.mark.parametrize("days", [[0] * 56, [-3] * 56, [10] * 40 + [0] * 60])
def test_what_is_not_used_does_not_run_out(days: list[int]) -> None:
    found = predict(days, 5, used=7, end=TODAY + 9 * DAY)
    assert found == Forecast(burn_per_day=0.0, projected_used=7)


def test_nothing_is_forecast_before_anything_is_known() -> None:
    assert predict([], 5, end=TODAY + DAY) == Forecast()


def test_a_renewal_leaves_the_expected_use_as_it_was() -> None:
    renewed = predict(OFFICE, 50, used_today=0, start=TODAY, used=0)
    assert renewed.exhaustion == pytest.approx(7.0)  # the 50 of a whole week


def test_an_allowance_raised_in_its_period_lasts_accordingly_longer() -> None:
    before = predict(EVEN, 20, used=80, start=TODAY - 8 * DAY, end=TODAY + 30 * DAY)
    after = predict(EVEN, 120, used=80, start=TODAY - 8 * DAY, end=TODAY + 30 * DAY)
    assert before.exhaustion == pytest.approx(2.0)
    assert after.exhaustion == pytest.approx(12.0)
    assert before.projected_used == after.projected_used == pytest.approx(380)


@pytest.mark.parametrize(
    ("days", "allowed", "used", "start", "day"),
    [
        ([50, 50, 10, 0], 100, 110, -3, -2),
        ([120, 0, 0, 0], 100, 120, -3, -3),
        ([120, -50, 60, 5], 100, 135, -3, -1),  # the refund gave something back
        ([50, 20, 40], 100, 110, -2, 0),
        ([9, 9, 50, 50, 0], 100, 100, -2, -1),  # the days before the period do not count
        ([50, 30, 0], 100, 100, -9, -1),  # 20 were used on days that are not known
        ([10, 10, 0], 100, 150, -9, -2),  # used up before the known days: the first of them
        ([0, 3, 0], 0, 3, -2, None),  # nothing was purchased
        ([0, 0, 0], 0, 0, -2, None),
        ([50, 50, 0], 100, 100, None, None),
        ([50, 50, 0], 100, 100, 1, None),
    ],
)
def test_a_used_up_allowance_ran_out_on_the_day_that_used_the_rest(
    days: list[int], allowed: int, used: int, start: int | None, day: int | None
) -> None:
    usage = UsageHistory(TODAY, TODAY, days[-1], days[:-1])
    began = None if start is None else TODAY + start * DAY
    found = with_forecast(
        Allowance("acme", "credits", allowed, used, 0, "credits", start=began), usage
    )
    moment = None if day is None else TODAY + day * DAY
    assert found.exhaustion == moment
    assert (found.exhaustion_earliest, found.exhaustion_latest) == (moment, moment)


def test_a_day_that_has_just_begun_is_expected_to_use_as_much_as_any() -> None:
    assert predict(EVEN, 20, hour=1.0) == predict(EVEN, 20, hour=0.0)


def test_what_is_left_late_in_the_day_does_not_run_out_in_the_past() -> None:
    found = predict(EVEN, 1, hour=23.0)
    assert (found.exhaustion, found.exhaustion_earliest) == (23 / 24, 23 / 24)


@pytest.mark.parametrize(
    ("days_left", "projected"),
    [(5.0, 96.0), (1.0, 56.0), (0.5, 51.0), (0.1, 50.0), (1.5, 61.0), (0.0, 50.0), (-3.0, 50.0)],
)
def test_the_projection_adds_the_expected_use_until_the_end(
    days_left: float, projected: float
) -> None:
    found = predict(EVEN, 950, used_today=4, used=50, end=TODAY + days_left * DAY)
    assert found.projected_used == pytest.approx(projected)


@pytest.mark.parametrize(
    ("used", "available", "ratio"),
    [(50, 50, 1.0), (50, 30, 1.2), (90, 60, 0.9), (10, 130, 0.2), (10, 190, 0.0), (130, 0, 1.8)],
)
def test_a_projected_share_starts_from_what_is_available(
    used: int, available: int, ratio: float
) -> None:
    left = Allowance("acme", "7", 100, used, available, "documents", end=TODAY + 5 * DAY)
    found = with_forecast(left, UsageHistory(TODAY, TODAY, 0, EVEN))
    assert found.projected_used == used + 50
    assert found.projected_used_ratio == pytest.approx(ratio)


def test_a_projection_needs_an_end() -> None:
    assert predict(EVEN, 950).projected_used is None


def test_what_is_left_of_a_period_that_is_over_does_not_run_out() -> None:
    found = predict(EVEN, 50, used=50, end=TODAY)
    assert found == Forecast(burn_per_day=10.0, projected_used=50)


def expected_use(today: date, days: list[int], count: int) -> list[float]:
    """Of each day to come, the current one first."""
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()
    usage = UsageHistory(midnight, midnight, 0, days)
    totals = [
        with_forecast(allowance(10**9, end=midnight + day * DAY), usage).projected_used or 0.0
        for day in range(count + 1)
    ]
    return [after - before for before, after in pairwise(totals)]


def history(today: date, use: dict[date, int], usual: int) -> list[int]:
    return [use.get(today - day * ONE_DAY, usual) for day in range(366, 0, -1)]


def last_days(year: int) -> list[date]:
    """The last three of every month."""
    days = [date(year, 1, 1) + day * ONE_DAY for day in range(366)]
    return [day for day in days if day.year == year and (day + 3 * ONE_DAY).day <= 3]


def test_month_ends_that_use_more_are_expected_to_do_so_again_at_the_end_of_a_year() -> None:
    today = date(2025, 12, 28)
    days = history(today, dict.fromkeys([*last_days(2024), *last_days(2025)], 30), 10)
    # Twelve months have shown three times the use: 10 * (1 + 2 * 12 / 13).
    assert expected_use(today, days, 6) == pytest.approx(
        [10.0, 28.5, 28.5, 28.5, 10.0, 10.0], abs=0.3
    )


def test_the_end_of_february_is_the_29th_in_a_leap_year() -> None:
    today = date(2028, 2, 26)
    days = history(today, dict.fromkeys([*last_days(2027), *last_days(2028)], 30), 10)
    assert expected_use(today, days, 5) == pytest.approx([10.0, 28.5, 28.5, 28.5, 10.0], abs=0.3)


def test_the_history_of_a_leap_year_has_its_29th_of_february() -> None:
    today = date(2028, 3, 29)
    days = history(today, dict.fromkeys([*last_days(2027), *last_days(2028)], 30), 10)
    assert expected_use(today, days, 4) == pytest.approx([28.5, 28.5, 28.5, 10.0], abs=0.3)


def working_days(first: date, last: date) -> list[date]:
    days = [first + day * ONE_DAY for day in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


def last_working_days(year: int) -> list[date]:
    starts = [*(date(year, month, 1) for month in range(1, 13)), date(year + 1, 1, 1)]
    return [
        day
        for first, after in pairwise(starts)
        for day in working_days(first, after - ONE_DAY)[-3:]
    ]


def test_month_ends_may_be_those_of_working_days() -> None:
    today = date(2026, 1, 27)  # a Tuesday; the month ends on a Saturday
    use = dict.fromkeys(working_days(date(2025, 1, 1), today), 10)
    use |= dict.fromkeys(last_working_days(2025), 30)
    found = expected_use(today, history(today, use, 0), 7)
    assert found == pytest.approx([10.0, 28.5, 28.5, 28.5, 0.0, 0.0, 10.0], abs=0.3)


def test_the_first_days_of_a_month_may_use_less() -> None:
    today = date(2026, 3, 31)
    firsts = [
        date(2025 + month // 12, month % 12 + 1, day) for month in range(15) for day in (1, 2)
    ]
    days = history(today, dict.fromkeys(firsts, 4), 10)
    # Eleven whole months and April 2025: 10 * (1 - 0.6 * 12 / 13).
    assert expected_use(today, days, 4) == pytest.approx([10.0, 4.5, 4.5, 10.0], abs=0.3)


def test_two_months_do_not_show_what_month_ends_use() -> None:
    today = date(2026, 3, 29)
    days = history(today, dict.fromkeys(last_days(2026), 30), 10)[-87:]
    assert max(expected_use(today, days, 4)) < 12


def test_months_that_disagree_show_nothing() -> None:
    today = date(2025, 12, 28)
    use = {day: 30 if day.month % 3 else 5 for day in [*last_days(2024), *last_days(2025)]}
    assert max(expected_use(today, history(today, use, 10), 4)) < 15


def test_the_range_of_steady_use_is_that_of_the_hours_of_a_day() -> None:
    found = predict(EVEN, 100)
    assert found.exhaustion_earliest == pytest.approx(9.8)
    assert found.exhaustion_latest == pytest.approx(10.2)


def test_the_range_is_wider_the_less_the_weeks_agree() -> None:
    calm = predict([10, 12, 10, 8, 10, 11, 9] * 8, 300)
    changing = predict([day * week for week in (6, 14) * 4 for day in (1,) * 7], 300)
    assert calm.exhaustion_latest is not None
    assert changing.exhaustion_latest is not None
    assert calm.exhaustion_latest < 31
    assert changing.exhaustion_latest > 35


def test_the_range_is_wide_while_little_is_known() -> None:
    week = predict([10] * 7, 300)
    assert week.exhaustion_earliest == pytest.approx(21.6, abs=0.1)
    assert week.exhaustion_latest == pytest.approx(38.4, abs=0.1)


USES = st.lists(st.integers(-200, 1000), max_size=400)


@given(
    USES,
    st.integers(-50, 500),
    st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
    st.floats(0, 24),
    st.floats(0.5, 90),
)
def test_pace_range_and_projection_agree(
    days: list[int], used_today: int, figures: tuple[int, int], hour: float, days_left: float
) -> None:
    available, allowed = figures
    end = TODAY + (1 + days_left) * DAY
    usage = UsageHistory(TODAY + hour * 3600, TODAY, used_today, days)
    left = Allowance("acme", "7", allowed, 500, available, "documents", end=end)
    found = with_forecast(left, usage)
    assert found == with_forecast(left, usage)
    if found.exhaustion is None:
        assert not found.burn_per_day
        assert found.projected_used in {None, 500}
        return
    assert found.burn_per_day is not None
    assert found.burn_per_day > 0
    assert found.exhaustion_earliest is not None
    assert found.exhaustion_latest is not None
    assert found.projected_used_ratio is not None
    assert usage.at <= found.exhaustion_earliest <= found.exhaustion <= found.exhaustion_latest
    assert isfinite(found.exhaustion_latest)
    is_early = found.exhaustion < end
    is_close = abs(found.exhaustion - end) < 60  # seconds, for rounding
    assert is_close or is_early == (found.projected_used_ratio > 1)


@given(USES, st.integers(1, 20_000), st.integers(0, 5000))
def test_more_available_lasts_longer(days: list[int], available: int, more: int) -> None:
    usage = UsageHistory(TODAY, TODAY, 0, days)
    less, longer = (
        with_forecast(allowance(amount), usage).exhaustion
        for amount in (available, available + more)
    )
    assert (less is None) == (longer is None)
    assert less is None or longer is None or less <= longer


class TestTotalsOnly:
    """Allowances whose vendor reports only a total."""

    def test_without_observed_days_the_mean_pace_since_the_start_goes_on(self) -> None:
        at = TODAY + DAY / 2
        plan = allowance(20, 100, start=at - 10 * DAY)
        found = with_forecast(plan, history_of_total(plan, at, (3,)))
        assert found.burn_per_day == pytest.approx(10)
        assert found.exhaustion == pytest.approx(at + 2 * DAY)

    def test_a_plans_first_day_counts_as_a_whole_one(self) -> None:
        at = TODAY + DAY / 2
        plan = allowance(20, 8, start=TODAY)
        assert history_of_total(plan, at, ()) == UsageHistory(at, TODAY, 4.0, (), 8.0, 1.0)

    def test_the_first_observed_day_belongs_to_what_was_before(self) -> None:
        at = TODAY + DAY / 2
        plan = allowance(20, 100, start=TODAY - 12 * DAY)
        # 100 - 10 - 20 - 5 on the ten days until the two complete ones
        assert history_of_total(plan, at, (3, 10, 20, 5)) == UsageHistory(
            at, TODAY, 5, (10, 20), 6.5, 10.0
        )

    def test_days_observed_before_a_plans_renewal_count(self) -> None:
        plan = allowance(90, 10, start=TODAY - DAY)
        assert history_of_total(plan, TODAY, (3, 7, 8, 10, 0)) == UsageHistory(
            TODAY, TODAY, 0, (7, 8, 10)
        )

    def test_a_plan_without_a_start_is_known_from_the_observed_days(self) -> None:
        found = with_forecast(allowance(40), history_of_total(allowance(40), TODAY, (3, 10, 10, 0)))
        assert found.exhaustion == pytest.approx(TODAY + 4 * DAY)

    def test_nothing_is_known_of_a_plan_that_has_not_begun(self) -> None:
        plan = allowance(40, start=TODAY + DAY)
        found = with_forecast(plan, history_of_total(plan, TODAY, (0,)))
        assert (found.burn_per_day, found.exhaustion, found.projected_used) == (None, None, None)

    def test_the_period_before_shows_what_a_new_plan_will_use(self) -> None:
        plan = allowance(
            90, 10, start=TODAY - DAY, previous_start=TODAY - 30 * DAY, previous_used=580
        )
        usage = history_of_total(plan, TODAY, (0,))
        # One day of 10, 29 days of 20: a day counts 0.97 of the next.
        assert usage.earlier_per_day == pytest.approx(19.5, abs=0.01)
        assert usage.earlier_days == 30.0

    def test_a_plan_that_begins_today_goes_on_as_the_one_before(self) -> None:
        at = TODAY + DAY / 2
        plan = allowance(95, 0, start=at, previous_start=at - 30 * DAY, previous_used=300)
        found = with_forecast(plan, history_of_total(plan, at, (0,)))
        assert found.burn_per_day == pytest.approx(10)
        assert found.exhaustion == pytest.approx(at + 9.5 * DAY)

    def test_the_period_before_counts_until_the_first_observed_day(self) -> None:
        plan = allowance(
            90, 10, start=TODAY - DAY, previous_start=TODAY - 8 * DAY, previous_used=70
        )
        assert history_of_total(plan, TODAY, (3, 7, 8, 10, 0)) == UsageHistory(
            TODAY, TODAY, 0, (7, 8, 10), 10.0, 5.0
        )

    def test_a_period_before_whose_use_is_unknown_shows_nothing(self) -> None:
        plan = allowance(90, 10, start=TODAY - DAY, previous_start=TODAY - 30 * DAY)
        assert history_of_total(plan, TODAY, (0,)).earlier_days == 1.0

    def test_observed_weekdays_replace_the_mean_pace_by_and_by(self) -> None:
        # Fridays to Thursdays with nothing at weekends, after 30 days at the same mean pace
        burns = []
        for weeks in (1, 2, 3):
            days = (0, *OFFICE[: 7 * weeks], 0)
            plan = allowance(50, 214 + 50 * weeks, start=TODAY - (30 + 7 * weeks) * DAY)
            found = with_forecast(plan, history_of_total(plan, TODAY, days))
            assert found.burn_per_day == pytest.approx(50 / 7, rel=0.01)
            later = with_forecast(allowance(15), history_of_total(plan, TODAY, days))
            assert later.exhaustion is not None
            burns.append((later.exhaustion - TODAY) / DAY)
        # On a Friday with 15 left: 10 today, 5 on Monday, which would be 3.5 days.
        assert burns == pytest.approx([3.25, 3.36, 3.41], abs=0.01)

    def test_days_without_use_count_where_something_was_used_before(self) -> None:
        plan = allowance(50, 100, start=TODAY - 20 * DAY)
        usage = history_of_total(plan, TODAY, (0, *[0] * 10, 0))
        found = with_forecast(plan, usage)
        assert found.burn_per_day == pytest.approx(4.5, abs=0.1)  # from 10, and then 0
