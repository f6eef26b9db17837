"""One target on the status page, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from exporter.state.presentation import format_number
from exporter.state.scope_usage import total_use
from exporter.web.charts import sparkline
from exporter.web.conditions import allowance_urgency
from exporter.web.markup import isolate, target_path
from exporter.web.target_parts import allowance_block, failures, poll_times, state_marks

if TYPE_CHECKING:
    from exporter.state.store import TargetSnapshot

_DAYS: Final = 30


def target_row(snapshot: TargetSnapshot, now: float, runbook_url: str) -> str:
    """A target as an item of the list.

    Args:
        snapshot: the target.
        now: Unix seconds.
        runbook_url: of the runbook, without an anchor.
    """
    name = snapshot.target.name
    return (
        f'<li class="target"><div class="who"><h2><a href="targets/{target_path(name)}">'
        f"{isolate(name)}</a></h2>"
        f"<p>{escape(snapshot.target.vendor)} {state_marks(snapshot)}</p>"
        f"{poll_times(snapshot, now)}{_recent_use(snapshot)}</div>"
        f'<div class="what">{failures(snapshot, runbook_url)}{_allowances(snapshot, now)}'
        "</div></li>"
    )


def _recent_use(snapshot: TargetSnapshot) -> str:
    """A sparkline of the last days, and their sum."""
    use = None if snapshot.is_stale else total_use(snapshot.state, _DAYS)
    if use is None:
        return ""
    days = "day" if len(use.days) == 1 else "days"
    text = f"{format_number(sum(use.days))} {use.unit} in {len(use.days)} {days}"
    return (
        f'<p class="recent">{sparkline(use.days, _DAYS, "use by day")} '
        f'<span class="quiet">{escape(text)}</span></p>'
    )


def _allowances(snapshot: TargetSnapshot, now: float) -> str:
    alerts = snapshot.target.alerts
    if snapshot.allowances:
        allowances = sorted(snapshot.allowances, key=allowance_urgency)
        return "".join(allowance_block(allowance, alerts, now) for allowance in allowances)
    return '<p class="quiet">No allowance is known.</p>' if snapshot.result else ""
