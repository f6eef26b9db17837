"""Durations: Prometheus's grammar, and what Go's adds to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds", "formatted"),
    [
        ("0s", 0, "0s"),
        ("500ms", 0.5, "500ms"),
        ("90s", 90, "1m30s"),
        ("15m", 900, "15m"),
        ("1h30m", 5400, "1h30m"),
        ("36h", 129_600, "1d12h"),
        ("14d", 1_209_600, "2w"),
        ("8d", 691_200, "8d"),
        ("1y", 31_536_000, "1y"),
        ("1y2w3d4h5m6s7ms", 33_019_506.007, "382d4h5m6s7ms"),
    ],
)
def test_a_duration_is_a_sum_of_units_and_is_formatted_as_prometheus_does(
    text: str, seconds: float, formatted: str
) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == formatted


@pytest.mark.parametrize(("text", "seconds"), [("1.5h", 5400), ("0.5s", 0.5), ("0.25ms", 0.00025)])
def test_fractions_are_accepted_as_in_go(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "s", "1", "1 s", "-1s", "1M", "1_0s", ".5s", "1.s", "\u0661s", "1e3s", "1s\n"),
        *("30m1h", "1s1s", "1h 30m", "9ns"),
    ],
)
def test_another_text_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**12))
def test_a_formatted_duration_parses_to_itself(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000
