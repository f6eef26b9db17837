"""A clock for ages and due times that goes on while the machine is suspended."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def boot_time() -> float:
    """Seconds since boot, time in suspend included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ElapsedClock:
    """Seconds that never go back, and that pass during suspend and pauses of a virtual machine.

    A paused virtual machine stops the monotonic clock and the boot-time clock; its wall clock is
    corrected afterwards. So a step forward of the wall clock counts as elapsed time, and a step
    back is ignored. Only differences between two values have a meaning.

    Args:
        monotonic: seconds that never go back.
        wall: Unix seconds.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = boot_time,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._offset = -inf

    def __call__(self) -> float:
        """The time now."""
        monotonic = self._monotonic()
        self._offset = max(self._offset, self._wall() - monotonic)
        return monotonic + self._offset
