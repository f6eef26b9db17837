"""How long a target rests after a poll: its interval, or a back-off after failures."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from exporter.model import FailureReason, PollFailure, PollResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.models import PollSettings

JITTER: Final = 0.05  # an interval is drawn from 0.95 to 1.05 of its length
INITIAL_BACKOFF: Final = 30.0  # seconds, or an eighth of the interval where that is shorter
MAX_RETRY_AFTER: Final = 3600.0  # seconds a vendor can ask for, beyond the usual rhythm
SLOWEST_AUTH: Final = 8  # intervals between polls while the key is refused


def next_delay(
    result: PollResult | PollFailure,
    failures: int,
    duration: float,
    pace: PollSettings,
    draw: Callable[[], float] = random.random,
) -> float:
    """Seconds from the end of a poll to the start of the next.

    Args:
        result: how the poll ended.
        failures: failed polls in a row, this one included.
        duration: seconds the poll took.
        pace: the target's interval.
        draw: a random number from 0 to 1.
    """
    spread = 1 + JITTER * (2 * draw() - 1)
    if isinstance(result, PollResult):
        asked = max((each.retry_after or 0.0 for each in result.scope_failures), default=0.0)
        return max(min(asked, MAX_RETRY_AFTER), pace.interval * spread - duration)
    asked = min(result.retry_after or 0.0, MAX_RETRY_AFTER)
    return max(asked, _back_off(result.reason, failures, pace.interval) * spread)


def _back_off(reason: FailureReason, failures: int, interval: float) -> float:
    """Sooner than usual, then less and less so; a key that is refused again slows polls down.

    A single refusal may be the vendor's mistake: values must not expire because of it.
    """
    doublings = min(failures, 30) - 1
    if reason == FailureReason.AUTH and failures > 1:
        return interval * min(2.0**doublings, SLOWEST_AUTH)
    return min(min(INITIAL_BACKOFF, interval / 8) * 2.0**doublings, interval)
