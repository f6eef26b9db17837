"""A target's state as text for people and as JSON for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from exporter.config.models import Alerts
    from exporter.model import Allowance, ScopeFailure
    from exporter.state.store import TargetSnapshot

_MAX_DISTANCE: Final = 10 * 365 * 86_400  # seconds; later dates are not shown


def format_state(snapshot: TargetSnapshot) -> str:
    """The result of the last poll."""
    if snapshot.state.failure:
        return f"down: {snapshot.state.failure.reason}: {snapshot.state.failure.detail}"
    return "up" if snapshot.state.is_up else "not polled yet"


def format_account(allowance: Allowance) -> str:
    """The account's name and identifier, such as `Acme (oRg00001)`."""
    return _with_identifier(allowance.account_name, allowance.account)


def format_allowance_name(allowance: Allowance) -> str:
    """The allowance's name and identifier, such as `Yearly (71)`."""
    return _with_identifier(allowance.allowance_name, allowance.allowance)


def _with_identifier(name: str, identifier: str) -> str:
    """Both; only the name where it contains the identifier, such as `monthly credits`."""
    if not name:
        return identifier
    return name if identifier in {"", *name.split()} else f"{name} ({identifier})"


def format_allowance(allowance: Allowance) -> str:
    """The available part, such as `300 of 1,000 credits`; else the figures that are known."""
    available, allowed, used = allowance.available, allowance.allowed, allowance.used
    if available is not None and allowed:
        return f"{format_number(available)} of {format_number(allowed)} {allowance.unit}"
    known = (("used", used), ("left", available), ("allowed", allowed))
    parts = [f"{format_number(value)} {name}" for name, value in known if value is not None]
    return f"{allowance.unit}: {', '.join(parts) or 'unknown'}"


def format_scope_failure(failure: ScopeFailure) -> str:
    """A part of a target that could not be read, and why."""
    return f"{failure.scope}: {failure.reason}: {failure.detail}"


def severity(allowance: Allowance, alerts: Alerts) -> Literal["critical", "warning", "fine"]:
    """The severity by the target's alert thresholds."""
    if allowance.ratio is None or allowance.ratio >= alerts.warning_ratio:
        return "fine"
    return "critical" if allowance.ratio < alerts.critical_ratio else "warning"


def format_number(value: float) -> str:
    """A number with thousands separators; one decimal place if it is below ten."""
    return f"{value:,.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"  # noqa: PLR2004  as documented


def format_date(moment: float | None, now: float) -> str:
    """A date in UTC and its distance from `now`, such as `2026-05-29 (in 1 d)`."""
    if moment is None:
        return "-"
    if moment - now > _MAX_DISTANCE:
        return "in over 10 years"
    days = round((moment - now) / 86_400)
    distance = f"in {days:,} d" if days > 0 else f"{-days:,} d ago" if days else "now"
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d} ({distance})"


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
        "allowances": [_allowance_to_json(allowance) for allowance in snapshot.allowances],
    }


def _allowance_to_json(allowance: Allowance) -> dict[str, object]:
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
