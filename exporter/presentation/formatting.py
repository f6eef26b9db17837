"""A target's figures and times as text for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from exporter.days import DAY_SECONDS, start_of_day

if TYPE_CHECKING:
    from exporter.config.models import Alerts
    from exporter.model import Allowance, ScopeFailure
    from exporter.state.store import TargetSnapshot

_MAX_DISTANCE: Final = 10 * 365 * DAY_SECONDS  # seconds; later dates are not shown
_UNITS: Final = ((1, "s", 60), (60, "min", 60), (3600, "h", 48))  # seconds, and the limit of each
_ALL: Final = 100


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


def format_title(allowance: Allowance) -> str:
    """The account and the allowance, such as `Acme (oRg00001) · Yearly (71)`."""
    return f"{format_account(allowance)} · {format_allowance_name(allowance)}"


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
    if 0 < value < 0.05:  # noqa: PLR2004  it would be rounded to zero
        return "<0.1"
    return f"{value:,.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"  # noqa: PLR2004  as documented


def format_percent(ratio: float) -> str:
    """A share as a percentage that is rounded to 0 % or 100 % only if it is exactly that."""
    percent = 100 * ratio
    if 0 < percent < 1:
        return "<1 %"
    if percent > _ALL:
        return f"{max(round(percent), 101):,} %"
    return f"{_ALL if percent == _ALL else min(round(percent), 99)} %"


def format_rounded_duration(seconds: float) -> str:
    """A duration in one unit: days from two days on, else hours, minutes or seconds."""
    for size, unit, limit in _UNITS:
        if (count := round(max(seconds, 0.0) / size)) < limit:
            return f"{count} {unit}"
    return f"{round(seconds / DAY_SECONDS):,} d"


def format_far(moment: float, now: float) -> str:
    """The distance of a time over 10 years away; empty where it is nearer and has a date."""
    if abs(moment - now) <= _MAX_DISTANCE:
        return ""
    return "in over 10 years" if moment > now else "over 10 years ago"


def iso_day(moment: float) -> str:
    """The day of a moment in UTC, such as `2026-05-29`."""
    return str(datetime.fromtimestamp(moment, UTC).date())


def format_date(moment: float, now: float) -> str:
    """A time in UTC and its distance from `now`; the hour only within two days.

    Such as `2026-05-29 (in 14 d)` or `2026-05-16 18:30 UTC (in 26 h)`.
    """
    if far := format_far(moment, now):
        return far
    distance = format_rounded_duration(abs(moment - now))
    relation = (
        "now" if distance == "0 s" else f"in {distance}" if moment > now else f"{distance} ago"
    )
    form = "%Y-%m-%d" if distance.endswith(" d") else "%Y-%m-%d %H:%M UTC"
    return f"{datetime.fromtimestamp(moment, UTC):{form}} ({relation})"


def is_used_up(allowance: Allowance) -> bool:
    """Whether nothing is left of an allowance."""
    return bool(allowance.allowed) and allowance.available == 0


def runs_out_early(allowance: Allowance) -> bool:
    """Whether it is expected to run out before its period ends."""
    exhaustion, end = allowance.exhaustion, allowance.end
    is_before_end = exhaustion is not None and end is not None and exhaustion < end
    return is_before_end and not is_used_up(allowance)


def format_exhaustion(allowance: Allowance, now: float) -> str:
    """When it runs out or ran out, such as `runs out 2026-05-29 (in 14 d)`; empty if unknown."""
    if allowance.exhaustion is None:
        return "used up" if is_used_up(allowance) else ""
    if not is_used_up(allowance):
        return f"runs out {format_date(max(allowance.exhaustion, now), now)}"
    if now - allowance.exhaustion > _MAX_DISTANCE:
        return "ran out over 10 years ago"
    # Of the past only the day is known.
    days = round((start_of_day(now) - start_of_day(allowance.exhaustion)) / DAY_SECONDS)
    return f"ran out {iso_day(allowance.exhaustion)} ({f'{days:,} d ago' if days else 'today'})"


def format_exhaustion_range(allowance: Allowance, now: float) -> str:
    """The days between which it runs out in 8 of 10 cases, such as `2026-05-20 to 2026-06-11`.

    Empty if unknown, used up, a single day, or over 10 years away.
    """
    earliest, latest = allowance.exhaustion_earliest, allowance.exhaustion_latest
    if is_used_up(allowance) or earliest is None or latest is None:
        return ""
    if earliest - now > _MAX_DISTANCE:
        return ""
    first = iso_day(max(earliest, now))
    if latest - now > _MAX_DISTANCE:
        return f"{first} or later"
    last = iso_day(max(latest, now))
    return "" if first == last else f"{first} to {last}"


def format_projection(allowance: Allowance, now: float) -> str:
    """The share expected to be used when its period ends, such as `138 %`; empty if unknown.

    Empty too once the period has ended or everything is used.
    """
    ratio, end = allowance.projected_used_ratio, allowance.end
    if ratio is None or end is None or end <= now or is_used_up(allowance):
        return ""
    return format_percent(ratio)


def format_end(allowance: Allowance, now: float) -> str:
    """When its period ends or ended, such as `ends 2026-05-29 (in 14 d)`; empty if unknown."""
    if allowance.end is None:
        return ""
    return f"{'ends' if allowance.end > now else 'ended'} {format_date(allowance.end, now)}"
