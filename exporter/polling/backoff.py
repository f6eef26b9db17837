"""The delay between two polls of a target: its interval, or a back-off after failures."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from exporter.model import FailureReason, PollFailure, PollResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.models import PollSettings

JITTER: Final = 0.05  # a delay varies from 0.95 to 1.05 of its length
INITIAL_BACKOFF: Final = 30.0  # seconds, or an eighth of the interval if that is shorter
MAX_RETRY_AFTER: Final = 3600.0  # seconds; a longer Retry-After is cut to this
MAX_AUTH_BACKOFF: Final = 8  # intervals between polls while the vendor rejects the key


def next_delay(
    result: PollResult | PollFailure,
    consecutive_failures: int,
    duration: float,
    poll: PollSettings,
    rng: Callable[[], float] = random.random,
) -> float:
    """Seconds from the end of a poll to the start of the next.

    Args:
        result: the result of the poll.
        consecutive_failures: failed polls since the last success, this one included.
        duration: seconds the poll took.
        poll: the target's settings.
        rng: a random number from 0 to 1.
    """
    jitter = 1 + JITTER * (2 * rng() - 1)
    if isinstance(result, PollResult):
        requested = max((each.retry_after or 0.0 for each in result.scope_failures), default=0.0)
        return max(min(requested, MAX_RETRY_AFTER), poll.interval * jitter - duration)
    retry_after = min(result.retry_after or 0.0, MAX_RETRY_AFTER)
    return max(retry_after, _backoff(result.reason, consecutive_failures, poll.interval) * jitter)


def _backoff(reason: FailureReason, consecutive_failures: int, interval: float) -> float:
    """Exponential, up to the interval; repeated authentication failures wait longer than that.

    A single authentication failure is retried soon: vendors answer 401 now and then to valid keys.
    """
    doublings = 2.0 ** (min(consecutive_failures, 30) - 1)
    if reason == FailureReason.AUTH and consecutive_failures > 1:
        return interval * min(doublings, MAX_AUTH_BACKOFF)
    return min(min(INITIAL_BACKOFF, interval / 8) * doublings, interval)
