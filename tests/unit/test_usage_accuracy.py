"""What docs/forecast.md promises of the estimate's accuracy, on fewer cases than its tables."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from pathlib import Path
from statistics import fmean, geometric_mean

import pytest
import usage_accuracy
import usage_series
from usage_accuracy import (
    LEADS,
    METHODS,
    Errors,
    Situation,
    cases,
    coverage,
    errors,
    situations,
    total_errors,
)

pytestmark = pytest.mark.one_python

COUNT = 120
CHANCE = 1.08  # so many cases leave as much to chance; with 350, no kind is beyond 1.03
KINDS = list(usage_series.KINDS)
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "forecast.md"


@cache
def made(kind: str) -> list[usage_series.Case]:
    return cases(kind, COUNT)


@cache
def ahead(kind: str, lead: int) -> list[Situation]:
    return list(situations(made(kind), lead))


@cache
def present(kind: str, lead: int) -> Errors:
    return errors(ahead(kind, lead), "estimate")


@cache
def previous(kind: str, lead: int) -> Errors:
    return errors(ahead(kind, lead), "four weeks' weekdays")


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_is_estimated_worse_than_before(kind: str) -> None:
    for figure in range(2):  # the median and the 90th percentile
        pairs = [(present(kind, lead)[figure], previous(kind, lead)[figure]) for lead in LEADS]
        assert geometric_mean(ours / before for ours, before in pairs) <= CHANCE


def test_all_kinds_together_are_estimated_a_fifth_nearer() -> None:
    pairs = [(present(kind, lead), previous(kind, lead)) for kind in KINDS for lead in LEADS]
    assert fmean(ours.median / before.median for ours, before in pairs) < 0.8
    assert fmean(ours.high / before.high for ours, before in pairs) < 0.8


def test_an_account_in_its_first_four_weeks_is_estimated_within_a_day_and_a_half() -> None:
    assert present("onboarding", 30).median <= 1.5


@pytest.mark.parametrize("kind", ["month end", "month end, working days"])
@pytest.mark.parametrize("lead", [14, 7])
def test_month_ends_halve_the_error(kind: str, lead: int) -> None:
    assert present(kind, lead).median <= 0.55 * previous(kind, lead).median


def test_eight_of_ten_true_moments_lie_in_the_range() -> None:
    shares = [coverage(ahead(kind, lead)[:50]) for kind in KINDS for lead in LEADS]
    assert 0.75 < fmean(shares) < 0.88
    assert min(shares) > 0.55


def test_observed_weekdays_are_nearer_than_the_mean_pace_from_the_first_week_on() -> None:
    for seen in (7, 14, 27):
        ours, mean_pace, inside = total_errors(made("weekdays")[:40], seen)
        assert ours.median < mean_pace.median
        assert inside > 0.7


def test_the_other_methods_are_measured_on_the_same_cases() -> None:
    some = ahead("weekdays", 14)[:30]
    found = {method: errors(some, method).median for method in METHODS}
    assert found["estimate"] < found["mean of 7 days"] < found["`predict_linear`, 7 days"]


def test_an_estimate_that_is_absent_counts_as_a_year_and_has_no_range() -> None:
    unused = usage_series.Case(date(2026, 2, 27), (0,) * 366, (0, 10, 10), 12.0)
    never = [Situation(unused, 15, unused.moment_of(15))]
    assert {errors(never, method) for method in METHODS} == {Errors(365.0, 365.0)}
    assert coverage(never) == 0.0


def test_a_case_is_the_same_each_time() -> None:
    assert usage_series.make("bulk run", 7) == usage_series.make("bulk run", 7)
    assert usage_series.make("bulk run", 7) != usage_series.make("bulk run", 8)


def test_more_than_the_coming_days_use_is_used_up_at_no_moment() -> None:
    case = usage_series.make("even", 1)
    with pytest.raises(ValueError, match="use less"):
        case.moment_of(sum(case.coming) + 1)


def test_the_document_has_a_row_for_each_kind_and_lead() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    fresh = usage_accuracy.with_tables(text, 2)
    assert re.sub(r"[\d./%-]+", "", fresh) == re.sub(r"[\d./%-]+", "", text)
