"""The model: values are valid once they are built."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_targets import ALLOWANCE, AVAILABLE_CREDITS, CREDITS_TODAY, allowance

from exporter.model import (
    Allowance,
    FailureReason,
    PollError,
    PollFailure,
    PollResult,
    Sample,
    compact_days,
)


@pytest.mark.parametrize(
    ("allowed", "available", "ratio"),
    [
        (1000, 300, 0.3),
        (1000, 0, 0),
        (0, 0, None),
        (0, 5, None),
        (None, 5, None),
        (5, None, None),
        (100, 150, 1),
        (3, 3, 1),
    ],
)
def test_the_ratio_is_what_is_left_of_what_was_purchased(
    allowed: float | None, available: float | None, ratio: float | None
) -> None:
    assert replace(ALLOWANCE, allowed=allowed, available=available).ratio == ratio


@pytest.mark.parametrize(
    ("samples", "allowances"),
    [
        ((CREDITS_TODAY, AVAILABLE_CREDITS, CREDITS_TODAY._replace(value=13)), ()),
        ((), (ALLOWANCE, replace(ALLOWANCE, allowed=1))),
    ],
    ids=["sample", "allowance"],
)
def test_a_result_never_has_a_series_twice(
    samples: tuple[Sample, ...], allowances: tuple[Allowance, ...]
) -> None:
    with pytest.raises(PollError) as caught:
        PollResult(samples, allowances)
    assert caught.value.failure == PollFailure(
        FailureReason.MALFORMED, "the response has the same series twice"
    )


@pytest.mark.parametrize("figure", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize(
    "field",
    [
        *("allowed", "used", "available", "burn_per_day", "projected_used"),
        *("exhaustion", "exhaustion_earliest", "exhaustion_latest", "start", "end"),
    ],
)
def test_a_result_has_only_finite_figures(figure: float, field: str) -> None:
    with pytest.raises(PollError, match="malformed: a figure in the response is out of range"):
        PollResult((CREDITS_TODAY._replace(value=figure),))
    with pytest.raises(PollError, match="malformed: a figure in the response is out of range"):
        PollResult((), (allowance({field: figure}),))


def test_the_same_metric_may_have_samples_with_different_labels() -> None:
    other = CREDITS_TODAY._replace(labels=("other",))
    assert PollResult((CREDITS_TODAY, other)).samples == (CREDITS_TODAY, other)


@pytest.mark.parametrize(
    ("day", "size"), [(32_767, 2), (-32_769, 4), (2_147_483_647, 4), (2_147_483_648, 8)]
)
def test_days_take_as_few_bytes_as_their_largest_figure_needs(day: int, size: int) -> None:
    days = compact_days([0, day])
    assert list(days) == [0, day]
    assert days.itemsize == size
