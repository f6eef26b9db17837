"""Time to render the pages that people look at: on request only, never at a scrape."""

from __future__ import annotations

import random
import time
from datetime import date
from math import inf
from statistics import median
from typing import TYPE_CHECKING, Final

from exporter.model import PollOutcome
from exporter.presentation.serialize import to_detailed_json
from exporter.state.store import TargetSnapshot, TargetState
from exporter.vendors.affinda.api import Scope, Usage
from exporter.vendors.affinda.mapper import poll_result
from exporter.vendors.affinda.settings import Settings
from exporter.web.status_page import PageInfo, status_page
from exporter.web.target_page import target_page
from exporter.web.usage_csv import usage_csv

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS: Final = 10_000
WORKSPACES: Final = 60
DAYS: Final = 366
_FIRST: Final = date(2025, 11, 18)
_NOW: Final = 1_795_011_600.0  # on the last of these days
_ROUNDS: Final = 15


def measure() -> dict[str, float]:
    """Median seconds by page."""
    rng = random.Random(1)  # noqa: S311  usage values, not secrets
    large = _snapshot("large", WORKSPACES, rng)
    many = [_snapshot(f"customer-{number:05d}", 0, rng) for number in range(TARGETS)]
    return {
        f"target page, {WORKSPACES} workspaces": _median_seconds(lambda: target_page(large, _NOW)),
        "target page": _median_seconds(lambda: target_page(many[0], _NOW)),
        f"CSV, {WORKSPACES} workspaces": _median_seconds(lambda: usage_csv(large)),
        f"JSON, {WORKSPACES} workspaces": _median_seconds(lambda: to_detailed_json(large)),
        f"status page, {TARGETS:,} targets": _median_seconds(
            lambda: status_page(many, b"", PageInfo("0"), _NOW)
        ),
    }


def _snapshot(name: str, workspaces: int, rng: random.Random) -> TargetSnapshot:
    settings = Settings.model_validate(
        {
            "name": name,
            "vendor": "affinda",
            "organization": "oRg00001",
            "api_key": "made-up",
            "allowance": {"credits": 250_000, "period": "year"},
        }
    )
    scopes = [Scope("organization", "oRg00001")]
    scopes += [Scope("workspace", f"wSp{number:05d}") for number in range(workspaces)]
    usages = {
        scope: Usage(_FIRST, tuple(rng.randrange(1000) for _ in range(DAYS))) for scope in scopes
    }
    result = poll_result(settings, usages, {})
    outcome = PollOutcome(result, 0.5, len(scopes), _NOW - 60, _NOW + 840)
    return TargetSnapshot(settings, TargetState().after(outcome, inf), is_stale=False)


def _median_seconds(action: Callable[[], object]) -> float:
    found = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return median(found)
