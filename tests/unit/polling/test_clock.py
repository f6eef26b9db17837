from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exporter.polling.clock import ElapsedClock, boot_time


class Clocks:
    """A monotonic clock and a wall clock, set by hand."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.wall = 1_780_000_000.0
        self.elapsed = ElapsedClock(lambda: self.monotonic, lambda: self.wall)
        self.start = self.elapsed()

    def advance(self, monotonic: float, wall: float) -> float:
        """Advance both clocks; seconds elapsed since the start."""
        self.monotonic += monotonic
        self.wall += wall
        return self.elapsed() - self.start


def test_time_elapses_as_usual_while_both_clocks_agree() -> None:
    clocks = Clocks()
    assert [clocks.advance(10, 10), clocks.advance(5, 5)] == [10, 15]


def test_time_in_suspend_elapses_though_the_monotonic_clock_stops() -> None:
    assert Clocks().advance(monotonic=0, wall=3600) == 3600


def test_a_wall_clock_that_is_set_back_is_ignored() -> None:
    clocks = Clocks()
    assert [clocks.advance(10, -86_400), clocks.advance(10, 10)] == [10, 20]


def test_a_wall_clock_that_is_set_back_and_corrected_elapses_no_time_twice() -> None:
    clocks = Clocks()
    assert [clocks.advance(10, -3600), clocks.advance(10, 3620)] == [10, 20]


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(-(10**6), 10**6))))
def test_time_never_goes_back_nor_slower_than_the_monotonic_clock(
    steps: list[tuple[int, int]],
) -> None:
    clocks = Clocks()
    readings = [0.0, *(clocks.advance(*step) for step in steps)]
    for (before, after), (monotonic, _) in zip(pairwise(readings), steps, strict=True):
        assert after - before >= monotonic


def test_the_boot_time_clock_is_not_behind_the_monotonic_clock() -> None:
    assert boot_time() >= time.clock_gettime(time.CLOCK_MONOTONIC) - 1


def test_the_clocks_of_the_system_are_the_default() -> None:
    assert abs(ElapsedClock()() - time.time()) < 5
