"""Targets in every state that the pages show, made by the real mappers from made-up use."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Final

from exporter.demo.accounts import weekday_usage
from exporter.model import FailureReason, PollFailure, PollOutcome
from exporter.state.store import TargetSnapshot, TargetState
from exporter.vendors.affinda import mapper as affinda
from exporter.vendors.affinda.api import Scope
from exporter.vendors.affinda.api import Usage as AffindaUsage
from exporter.vendors.affinda.settings import Settings as AffindaSettings
from exporter.vendors.xtracta import mapper as xtracta
from exporter.vendors.xtracta.api import Figures, Plan, Usage
from exporter.vendors.xtracta.settings import Settings as XtractaSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.models import Target
    from exporter.model import PollResult
    from exporter.vendors.affinda.metrics import Axis

TODAY: Final = date(2026, 11, 18)  # a Wednesday
NOW: Final = datetime(2026, 11, 18, 14, 20, tzinfo=UTC).timestamp()
DAY: Final = 86_400
MONTHLY: Final = {"credits": 16_000, "period": "month"}
TIMED_OUT: Final = PollFailure(FailureReason.TIMEOUT, "no response within 20 s")


def settings(name: str, allowance: Mapping[str, object] | None = None) -> AffindaSettings:
    return AffindaSettings.model_validate(
        {
            "name": name,
            "vendor": "affinda",
            "organization": "oRg1",
            "api_key": "made-up",
            **({"allowance": dict(allowance)} if allowance else {}),
        }
    )


def affinda_result(
    target: AffindaSettings, counts: Mapping[str, tuple[int | None, ...]]
) -> PollResult:
    """What days of use, ending with today, amount to: `whole`, and workspaces by identifier."""
    usages = {
        Scope("organization", "oRg1") if name == "whole" else Scope("workspace", name): (
            AffindaUsage(TODAY - timedelta(days=len(days) - 1), days)
        )
        for name, days in counts.items()
    }
    names: dict[Axis, dict[str, str]] = {
        "organization": {"oRg1": "Acme"},
        "workspace": {"wSp1": "Claims"},
    }
    return affinda.poll_result(target, usages, names)


def use(days: int = 365, mean: float = 900, seed: str = "europe") -> tuple[int, ...]:
    """Plausible use of that many days."""
    usage = weekday_usage(seed, mean)
    return tuple(usage(TODAY - timedelta(days=age)) for age in range(days - 1, -1, -1))


def polled(
    target: Target,
    result: PollResult | None,
    *,
    at: float = NOW - 90,
    failure: PollFailure | None = None,
    is_stale: bool = False,
) -> TargetSnapshot:
    """After a poll that succeeded, if `result` is given, and one that failed, if `failure` is."""
    state = TargetState()
    if result:
        state = state.after(PollOutcome(result, 0.5, 3, at, at + 900), 0.0 if is_stale else inf)
    if failure:
        state = state.after(PollOutcome(failure, 20.0, 1, NOW - 20, NOW + 40), inf)
    return TargetSnapshot(target, state, is_stale)


def affinda_target(
    name: str = "acme", allowance: Mapping[str, object] | None = MONTHLY, days: int = 365
) -> TargetSnapshot:
    """An Affinda target that was just polled."""
    target = settings(name, allowance)
    return polled(target, affinda_result(target, {"whole": use(days)}))


def xtracta_target(polls: int = 1, name: str = "acme-nz") -> TargetSnapshot:
    """An Xtracta target that was polled once a day; its plan began 140 days ago."""
    target = XtractaSettings.model_validate(
        {"name": name, "vendor": "xtracta", "api_key": "made-up"}
    )
    start = NOW - 140 * DAY
    state = TargetState()
    for age in range(polls - 1, -1, -1):
        at = NOW - age * DAY
        used = round((at - start) / DAY) * 80
        figures = {"documents": Figures(20_000, used, 20_000 - used)}
        end = start + 365 * DAY
        plan = Plan("plan", "4101", "7101", "Yearly", figures, None, "", start, end)
        result = xtracta.poll_result({None: Usage((plan,))}, {}, at)
        state = state.after(PollOutcome(result, 0.3, 2, at, at + 900), inf)
    return TargetSnapshot(target, state, is_stale=False)
