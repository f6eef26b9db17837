"""Targets, results and outcomes for tests that need no vendor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from exporter.config.models import Target
from exporter.model import Allowance, FailureReason, PollFailure, PollOutcome, PollResult, Sample
from exporter.vendors.affinda.metrics import AVAILABLE, CREDITS

AVAILABLE_CREDITS = Sample(AVAILABLE, ("org",), 300)
CREDITS_TODAY = Sample(CREDITS["organization"]["daily"], ("org",), 12)
ALLOWANCE = Allowance(
    account="org",
    allowance="credits",
    unit="credits",
    allowed=1000,
    used=700,
    available=300,
    burn_per_day=50,
    exhaustion=1_790_000_000,
    exhaustion_earliest=1_789_000_000,
    exhaustion_latest=1_791_000_000,
    projected_used=1250,
    renews=True,
    end=1_800_000_000,
)
POLL_RESULT = PollResult((CREDITS_TODAY, AVAILABLE_CREDITS), (ALLOWANCE,))
TIMEOUT = PollFailure(FailureReason.TIMEOUT, "not complete within 20 seconds")


def target(name: str = "one", **keys: object) -> Target:
    return Target.model_validate({"name": name, "vendor": "acme", "api_key": "k1"} | keys)


def allowance(fields: dict[str, Any]) -> Allowance:
    """The allowance above with some fields changed."""
    return replace(ALLOWANCE, **fields)


def outcome(
    result: PollResult | PollFailure = POLL_RESULT, at: float = 1_780_000_000
) -> PollOutcome:
    return PollOutcome(result, duration=0.25, requests=2, at=at, next_at=at + 900)
