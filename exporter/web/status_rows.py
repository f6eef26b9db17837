"""One target on the status page, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from exporter.web.conditions import allowance_urgency
from exporter.web.markup import isolate
from exporter.web.target_parts import allowance_block, failures, poll_times, state_marks

if TYPE_CHECKING:
    from exporter.state.store import TargetSnapshot


def target_row(snapshot: TargetSnapshot, now: float, runbook_url: str) -> str:
    """A target as an item of the list.

    Args:
        snapshot: the target.
        now: Unix seconds.
        runbook_url: of the runbook, without an anchor.
    """
    return (
        f'<li class="target"><div class="who"><h2>{isolate(snapshot.target.name)}</h2>'
        f"<p>{escape(snapshot.target.vendor)} {state_marks(snapshot)}</p>"
        f"{poll_times(snapshot, now)}</div>"
        f'<div class="what">{failures(snapshot, runbook_url)}{_allowances(snapshot, now)}'
        "</div></li>"
    )


def _allowances(snapshot: TargetSnapshot, now: float) -> str:
    alerts = snapshot.target.alerts
    if snapshot.allowances:
        allowances = sorted(snapshot.allowances, key=allowance_urgency)
        return "".join(allowance_block(allowance, alerts, now) for allowance in allowances)
    return '<p class="quiet">No allowance is known.</p>' if snapshot.result else ""
