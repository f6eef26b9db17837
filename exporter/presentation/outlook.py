"""What is left of an allowance and for how long, as sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor, log10
from typing import TYPE_CHECKING

from exporter.days import DAY_SECONDS
from exporter.presentation.formatting import (
    format_allowance,
    format_far,
    format_number,
    format_percent,
    is_used_up,
)

if TYPE_CHECKING:
    from exporter.model import Allowance


def format_day(moment: float) -> str:
    """A day, such as `Wed 2 Dec 2026`."""
    day = datetime.fromtimestamp(moment, UTC)
    return f"{day:%a} {day.day} {day:%b %Y}"


def format_outlook(allowance: Allowance, now: float) -> str:
    """One to two sentences: what is left, and when it runs out compared with the period's end."""
    return " ".join(filter(None, (_format_left(allowance), _format_future(allowance, now))))


def _format_left(allowance: Allowance) -> str:
    available, allowed, unit = allowance.available, allowance.allowed, allowance.unit
    if is_used_up(allowance):
        since = f" since {format_day(allowance.exhaustion)}" if allowance.exhaustion else ""
        return f"All {format_number(allowed or 0)} {unit} are used up{since}."
    if available is None or allowance.ratio is None:
        return f"{format_allowance(allowance)}."
    verb = "is" if available == 1 else "are"
    return f"{format_allowance(allowance)} {verb} left ({format_percent(allowance.ratio)})."


def _format_future(allowance: Allowance, now: float) -> str:
    end = allowance.end
    if end is not None and end <= now:
        return f"The period ended {_on_day(end, now)}."
    if is_used_up(allowance):
        return _format_missing(allowance, now)
    if allowance.ratio is None:
        return ""
    if allowance.burn_per_day is None:
        return "When they run out is unknown: too few daily figures are known."
    if allowance.exhaustion is None:
        return "Nothing was used lately, so they are not expected to run out."
    return f"At the current rate {_format_run_out(allowance, allowance.exhaustion, now)}."


def _format_run_out(allowance: Allowance, exhaustion: float, now: float) -> str:
    end = allowance.end
    if end is not None and exhaustion >= end:
        left = max(0.0, (allowance.allowed or 0) - (allowance.projected_used or 0))
        return f"{_about(left)} {allowance.unit} are left when the period ends {_on_day(end, now)}"
    text = f"they run out {_on_day(max(exhaustion, now), now)}"
    if end is None:
        return text
    days = round((end - exhaustion) / DAY_SECONDS)
    before = "less than a day" if days < 1 else "1 day" if days == 1 else f"{days:,} days"
    return f"{text}, {before} before the period ends{_format_short(allowance)}"


def _format_short(allowance: Allowance) -> str:
    """How much will be missing."""
    missing = (allowance.projected_used or 0) - (allowance.allowed or 0)
    return f"; {_about(missing)} {allowance.unit} short" if missing > 0 else ""


def _format_missing(allowance: Allowance, now: float) -> str:
    """Of an allowance that is used up."""
    if allowance.end is None:
        return ""
    return f"The period ends {_on_day(allowance.end, now)}{_format_short(allowance)}."


def _on_day(moment: float, now: float) -> str:
    return format_far(moment, now) or f"on {format_day(moment)}"


def _about(value: float) -> str:
    """A figure with two significant digits, such as `about 2,100`."""
    if value < 1:
        return "none of the" if value <= 0 else "less than one of the"
    size = 10 ** max(0, floor(log10(value)) - 1)
    return f"about {round(value / size) * size:,.0f}"
