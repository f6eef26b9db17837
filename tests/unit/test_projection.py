"""The expected total day by day, and how a pace was found."""

from __future__ import annotations

import pytest
from fake_targets import allowance
from hypothesis import given
from hypothesis import strategies as st

from exporter.forecast import projection, with_forecast
from exporter.model import UsageHistory
from exporter.usage_pace import CountedDay, pace_of

DAY = 86_400.0
TODAY = 1_772_150_400.0  # Friday, 27 February 2026
EVEN = [10] * 56


def test_each_midnight_has_the_total_that_is_expected_by_then() -> None:
    usage = UsageHistory(TODAY, TODAY, 4, EVEN)
    points = projection(pace_of(usage), usage, allowance({"used": 700}), TODAY + 2.5 * DAY)
    assert [((point.at - TODAY) / DAY, point.used) for point in points] == [
        (0, 700),
        (1, 706),  # 10, of which 4 are used
        (2, 716),
        (2.5, 721),
    ]
    # Even use is uncertain by the hours of a day alone: a fifth of a day's use.
    assert [(point.low, point.high) for point in points] == [
        (700, 700),
        (704, 708),
        (714, 718),
        (719, 723),
    ]


def test_a_projection_from_the_middle_of_a_day_spreads_the_rest_of_it() -> None:
    usage = UsageHistory(TODAY + DAY / 2, TODAY, 4, EVEN)
    points = projection(pace_of(usage), usage, allowance({"used": 700}), TODAY + 0.75 * DAY)
    assert [((point.at - TODAY) / DAY, point.used) for point in points] == [(0.5, 700), (0.75, 703)]


def test_an_unknown_total_or_pace_has_no_projection() -> None:
    usage = UsageHistory(TODAY, TODAY, 4, EVEN)
    assert projection(pace_of(usage), usage, allowance({"used": None}), TODAY + DAY) == []
    unused = UsageHistory(TODAY, TODAY, 0, [])
    assert projection(pace_of(unused), unused, allowance({}), TODAY + DAY) == []


def test_after_its_end_an_allowance_has_its_total_alone() -> None:
    usage = UsageHistory(TODAY, TODAY, 4, EVEN)
    assert [
        point.used
        for point in projection(pace_of(usage), usage, allowance({"used": 7}), TODAY - DAY)
    ] == [7]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=100), st.integers(1, 60))
def test_the_projection_ends_at_the_projected_use(days: list[int], ahead: int) -> None:
    usage = UsageHistory(TODAY, TODAY, days[-1], days[:-1])
    left = allowance({"used": 5000, "available": 10**6, "end": TODAY + ahead * DAY})
    expected = with_forecast(left, usage).projected_used
    points = projection(pace_of(usage), usage, left, TODAY + ahead * DAY)
    if pace_of(usage) is None:
        assert points == []
    else:
        assert points[-1].used == pytest.approx(expected)


def test_what_is_not_known_cannot_be_explained() -> None:
    assert pace_of(UsageHistory(TODAY, TODAY, 0, [])) is None


def test_steady_use_needs_no_adjustment() -> None:
    pace = pace_of(UsageHistory(TODAY, TODAY, 4, [0, 0, *EVEN]))
    assert pace is not None
    assert (pace.days, pace.window) == (56, 56)
    assert (pace.capped, pace.holidays, pace.jump) == ((), (), None)
    assert (pace.edges, pace.counts_working_days) == ((), False)


def test_a_bulk_run_and_a_holiday_are_named_with_what_they_count_as() -> None:
    days = [100] * 70
    days[-60], days[-10] = 900, 3
    pace = pace_of(UsageHistory(TODAY, TODAY, 0, days))
    assert pace is not None
    assert pace.capped == (CountedDay(-60, 900, 100),)
    assert pace.holidays == (CountedDay(-10, 3, 100),)


def test_a_jump_has_its_day_and_its_factor() -> None:
    days = [100] * 51 + [300] * 5
    pace = pace_of(UsageHistory(TODAY, TODAY, 0, days))
    assert pace is not None
    assert pace.jump is not None
    day, factor = pace.jump
    assert (day, round(factor, 9)) == (-5, 3)


def test_month_edges_have_a_factor_for_each_of_six_days() -> None:
    # Twice the use on the first day of each month, for a year until 27 February.
    lengths = (28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31)  # from February on
    days = [use for length in lengths for use in (200, *[100] * (length - 1))] + [200, *[100] * 25]
    pace = pace_of(UsageHistory(TODAY, TODAY, 0, days[-366:]))
    assert pace is not None
    first, *others = pace.edges
    assert first == pytest.approx(1.92, abs=0.02)
    assert others == [1.0] * 5
    assert not pace.counts_working_days
