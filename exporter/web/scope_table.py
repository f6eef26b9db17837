"""The table of a target's scopes, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from exporter.state.presentation import format_number, format_percent
from exporter.state.scope_usage import usage_sums
from exporter.web.charts import sparkline
from exporter.web.markup import isolate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.model import ScopeFailure, ScopeUsage

_MONTH: Final = 30
_UNKNOWN: Final = "—"


def scopes_section(scopes: Sequence[ScopeUsage], scope_failures: Iterable[ScopeFailure]) -> str:
    """The table of scopes; those of each kind together, those that used most first."""
    problems = {(each.label, each.value): each for each in scope_failures}
    if not scopes and not problems:
        return ""
    whole = scopes[0] if scopes and scopes[0].label != "allowance" else None
    total = _month_of(whole) if whole else None
    parts = []
    labels = dict.fromkeys([scope.label for scope in scopes] + [label for label, _ in problems])
    for label in labels:
        own = sorted(
            (scope for scope in scopes if scope.label == label),
            key=lambda scope: -(_month_of(scope) or 0),
        )
        known = {scope.value for scope in own}
        rows = [_scope_row(scope, total, problems.get((label, scope.value))) for scope in own]
        rows += [
            _failed_row(failure)
            for (kind, value), failure in problems.items()
            if kind == label and value not in known
        ]
        heading = escape(label.replace("_", " ").capitalize())
        parts.append(
            f'<tbody><tr><th scope="rowgroup" colspan="8">{heading}</th></tr>'
            f"{''.join(rows)}</tbody>"
        )
    heads = "".join(
        f'<th scope="col">{text}</th>'
        for text in ("Last 30 days", "Today", "Yesterday", "7 days", "30 days", "Month", "Share")
    )
    note = (
        '<p class="quiet">Share: of the 30 days of the first row. Workspaces and document types '
        "are two ways to divide the same use.</p>"
        if whole and len(scopes) > 1
        else ""
    )
    return (
        '<section><h2>Use by scope</h2><div class="wide" tabindex="0" role="region" '
        'aria-label="Use by scope"><table class="scopes"><thead><tr><th scope="col">Scope</th>'
        f"{heads}</tr></thead>{''.join(parts)}</table></div>{note}</section>"
    )


def _month_of(scope: ScopeUsage) -> float | None:
    """Use of the last 30 days, as far as they are known."""
    history = scope.history
    return sum([*history.days, history.used_today][-_MONTH:]) if history else None


def _scope_row(scope: ScopeUsage, total: float | None, failure: ScopeFailure | None) -> str:
    name = isolate(scope.name or scope.value)
    identifier = f' <span class="quiet">{isolate(scope.value)}</span>' if scope.name else ""
    reason = _reason(failure) if failure else ""
    cells = ["—"] * 6
    line = ""
    if scope.history:
        sums = usage_sums(scope.history)
        cells = ["—" if value is None else escape(format_number(value)) for value in sums]
        used = _month_of(scope) or 0
        cells.append(escape(format_percent(used / total)) if total and used >= 0 else "—")
        days = [*scope.history.days, scope.history.used_today][-_MONTH:]
        line = sparkline(days, _MONTH, f"at most {format_number(max(days))} a day")
    return (
        f'<tr><th scope="row">{name}{identifier}{reason}</th><td>{line}</td>'
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )


def _failed_row(failure: ScopeFailure) -> str:
    return (
        f'<tr><th scope="row">{isolate(failure.value or failure.scope)}{_reason(failure)}</th>'
        f"{'<td>—</td>' * 7}</tr>"
    )


def _reason(failure: ScopeFailure) -> str:
    return f'<p class="error">{isolate(f"{failure.reason}: {failure.detail}")}</p>'
