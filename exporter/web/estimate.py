"""How a forecast was made, in figures, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from exporter.presentation.formatting import format_number
from exporter.presentation.scope_usage import date_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.model import UsageHistory
    from exporter.usage_pace import CountedDay, Pace

_MAX_DAYS: Final = 12  # that are listed as capped or as holidays
_METHOD_URL: Final = "https://github.com/docusage/docusage-exporter/blob/main/docs/forecast.md"
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def estimate_section(unit: str, history: UsageHistory, pace: Pace) -> str:
    """How the forecast was made, in figures.

    Args:
        unit: what is counted, plural.
        history: what it was made from.
        pace: the expected use, and how it was found.
    """
    cells = "".join(f"<td>{escape(format_number(use))}</td>" for use in pace.weekdays)
    heads = "".join(f'<th scope="col">{day}</th>' for day in _WEEKDAYS)
    lines = "".join(f"<li>{escape(line)}</li>" for line in _estimate_lines(pace, history))
    return (
        "<h3>How this is estimated</h3>"
        '<div class="wide"><table><caption>Expected use of each day of the week, '
        f"{escape(unit)}</caption><thead><tr>{heads}</tr></thead>"
        f'<tbody><tr>{cells}</tr></tbody></table></div><ul class="steps">{lines}'
        f'<li><a href="{_METHOD_URL}">The method, and how accurate it is</a></li></ul>'
    )


def _estimate_lines(pace: Pace, history: UsageHistory) -> Iterator[str]:
    """What was made of the days that are known."""
    days = pace.days
    if history.days:
        yield (
            f"{days:,} complete {'day' if days == 1 else 'days'} of use are known; "
            f"the last {pace.window} give the days of the week."
        )
    if history.earlier_days:
        mean = (
            f"{format_number(history.earlier_per_day)} a day over {history.earlier_days:,.0f} days"
        )
        which = "Before these" if history.days else "Only a total is known"
        yield f"{which}: {mean} on average."
    elif not history.days:
        yield "Only the current day is known: the next ones may use as much."
    if pace.edges:
        which = "working days" if pace.counts_working_days else "days"
        factors = [f"{factor:.2f}" for factor in pace.edges]
        half = len(factors) // 2
        yield f"The first {which} of a month use {', '.join(factors[:half])} times as much."
        yield f"The last {which} of a month use {', '.join(factors[half:])} times as much."
    elif history.days:
        yield "The first and last days of a month are like the others."
    if pace.jump:
        day, factor = pace.jump
        since = date_of(history, day)
        yield f"Use is at another level since {since}: the days before count {factor:.2f} times."
    if pace.capped:
        yield f"Days too large to recur: {_counted(pace.capped, history)}."
    if pace.holidays:
        yield f"Holidays: {_counted(pace.holidays, history)}."
    yield f"Mean error that is expected of a week's use: {format_number(pace.error)}."


def _counted(days: Sequence[CountedDay], history: UsageHistory) -> str:
    listed = [
        f"{date_of(history, day)} ({format_number(use)} counts as {format_number(counted)})"
        for day, use, counted in days[-_MAX_DAYS:]
    ]
    more = len(days) - len(listed)
    return ", ".join([*listed, *([f"and {more} more"] if more else [])])
