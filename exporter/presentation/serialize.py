"""What is known of a target, as JSON: the short form of lists, and all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.days import DAY_SECONDS
from exporter.forecast import projection
from exporter.presentation.scope_usage import date_of, estimate_of, scopes_of, usage_sums

if TYPE_CHECKING:
    from exporter.forecast import ProjectedUse
    from exporter.model import Allowance, ScopeUsage, UsageHistory
    from exporter.state.store import TargetSnapshot
    from exporter.usage_pace import CountedDay, Pace

MAX_PROJECTION = 366 * DAY_SECONDS


def to_json(snapshot: TargetSnapshot) -> dict[str, object]:
    """A target as `/api/v1/targets` returns it: times in Unix seconds, unknown values as null."""
    state, failure = snapshot.state, snapshot.state.failure
    last_poll = state.last_poll
    return {
        "name": snapshot.target.name,
        "vendor": snapshot.target.vendor,
        "up": state.is_up,
        "stale": snapshot.is_stale,
        "last_poll": last_poll and last_poll.at,
        "last_success": state.succeeded_at,
        "failing_since": state.failing_since,
        "next_poll": last_poll and last_poll.next_at,
        "poll_duration_seconds": last_poll and last_poll.duration,
        "last_error": failure and {"reason": failure.reason, "detail": failure.detail},
        "scope_failures": [
            {
                "scope": each.scope,
                "reason": each.reason,
                "detail": each.detail,
                "last_success": each.succeeded_at,
            }
            for each in snapshot.scope_failures
        ],
        "notes": list(snapshot.result.notes if snapshot.result else ()),
        "allowances": [allowance_to_json(allowance) for allowance in snapshot.allowances],
    }


def allowance_to_json(allowance: Allowance) -> dict[str, object]:
    """An allowance, as a part of `to_json`."""
    return {
        "account": allowance.account,
        "account_name": allowance.account_name,
        "allowance": allowance.allowance,
        "allowance_name": allowance.allowance_name,
        "unit": allowance.unit,
        "allowed": allowance.allowed,
        "used": allowance.used,
        "available": allowance.available,
        "available_ratio": allowance.ratio,
        "burn_per_day": allowance.burn_per_day,
        "exhaustion": allowance.exhaustion,
        "exhaustion_earliest": allowance.exhaustion_earliest,
        "exhaustion_latest": allowance.exhaustion_latest,
        "projected_used": allowance.projected_used,
        "projected_used_ratio": allowance.projected_used_ratio,
        "renews": allowance.renews,
        "start": allowance.start,
        "end": allowance.end,
    }


def to_detailed_json(snapshot: TargetSnapshot) -> dict[str, object]:
    """A target as `/api/v1/targets/NAME` returns it: that of the list, and its daily use."""
    state = snapshot.state
    return {
        **to_json(snapshot),
        "polls": state.polls,
        "poll_failures": state.failures,
        "api_requests": state.requests,
        "anomalies": dict(state.anomalies),
        "allowances": [_allowance_with_forecast(allowance) for allowance in snapshot.allowances],
        "scopes": [_scope(scope) for scope in scopes_of(state)],
    }


def _scope(scope: ScopeUsage) -> dict[str, object]:
    history = scope.history
    known = {"type": scope.label, "id": scope.value, "name": scope.name}
    if history is None:
        return {**known, "unit": scope.unit, "first_day": None, "days": []}
    return {
        **known,
        "unit": scope.unit,
        **usage_sums(history)._asdict(),
        "first_day": date_of(history, -len(history.days)),
        "days": history.all_days,
    }


def _allowance_with_forecast(allowance: Allowance) -> dict[str, object]:
    """An allowance with its projection, and how its forecast was made."""
    known = estimate_of(allowance)
    points: list[ProjectedUse] = []
    if known and allowance.end is not None:
        history, pace = known
        end = min(allowance.end, history.at + MAX_PROJECTION)
        points = projection(pace, history, allowance, end)
    return {
        **allowance_to_json(allowance),
        "projection": [point._asdict() for point in points],
        "estimate": _estimate(*known) if known else None,
    }


def _estimate(history: UsageHistory, pace: Pace) -> dict[str, object]:
    """The expected use by weekday, Monday first, and its reasons."""
    return {
        "weekdays": list(pace.weekdays),
        "mean_error_per_week": pace.error,
        "complete_days": pace.days,
        "days_for_weekdays": pace.window,
        "month_edge_factors": list(pace.edges),
        "month_edges_count_working_days": pace.counts_working_days,
        "capped_days": [_counted(day, history) for day in pace.capped],
        "holidays": [_counted(day, history) for day in pace.holidays],
        "level_since": pace.jump and date_of(history, pace.jump[0]),
        "level_factor": pace.jump and pace.jump[1],
        "earlier_days": history.earlier_days,
        "earlier_per_day": history.earlier_per_day,
    }


def _counted(day: CountedDay, history: UsageHistory) -> dict[str, object]:
    return {"date": date_of(history, day.day), "used": day.use, "counted": day.counted}
