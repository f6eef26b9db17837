"""The table of a target's scopes, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from exporter.presentation.formatting import format_number, format_percent
from exporter.presentation.scope_usage import usage_sums
from exporter.web.charts import sparkline
from exporter.web.markup import isolate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.model import ScopeFailure, ScopeUsage

_MONTH: Final = 30
_UNKNOWN: Final = "—"
_FIGURES: Final = ("Today", "Yesterday", "7 days", "30 days", "Month to date", "Share")
_HEADS: Final = ("Scope", "Last 30 days", *_FIGURES)
_NOTE: Final = (
    '<p class="quiet">Share: of the 30 days of the first row. Workspaces and document types are '
    "two ways to divide the same use.</p>"
)


def scopes_section(scopes: Sequence[ScopeUsage], scope_failures: Sequence[ScopeFailure]) -> str:
    """The table of scopes; those of each kind together, those that used most first."""
    labels = dict.fromkeys(
        [each.label for each in scopes] + [each.label for each in scope_failures]
    )
    if not labels:
        return ""
    whole = scopes[0] if scopes and scopes[0].label != "allowance" else None
    total = _recent(whole) if whole else None
    groups = []
    for label in labels:
        own = [scope for scope in scopes if scope.label == label]
        failed = {each.value: each for each in scope_failures if each.label == label}
        groups.append(_group(label, own, failed, total))
    heads = "".join(f'<th scope="col">{text}</th>' for text in _HEADS)
    note = _NOTE if whole and len(scopes) > 1 else ""
    return (
        '<section><h2>Use by scope</h2><div class="wide" tabindex="0" role="region" '
        f'aria-label="Use by scope"><table class="scopes"><thead><tr>{heads}</tr></thead>'
        f"{''.join(groups)}</table></div>{note}</section>"
    )


def _group(
    label: str, scopes: Iterable[ScopeUsage], failed: dict[str, ScopeFailure], total: float | None
) -> str:
    """The scopes of one kind; those without values last."""
    rows = [
        _scope_row(scope, total, failed.pop(scope.value, None))
        for scope in sorted(scopes, key=lambda scope: -(_recent(scope) or 0))
    ]
    rows += map(_failed_row, failed.values())
    heading = escape(label.replace("_", " ").capitalize())
    return (
        f'<tbody><tr><th scope="rowgroup" colspan="{len(_HEADS)}">{heading}</th></tr>'
        f"{''.join(rows)}</tbody>"
    )


def _recent(scope: ScopeUsage) -> float | None:
    """Use of the last 30 days, as far as they are known."""
    history = scope.history
    return sum(history.all_days[-_MONTH:]) if history else None


def _scope_row(scope: ScopeUsage, total: float | None, failure: ScopeFailure | None) -> str:
    name = isolate(scope.name or scope.value)
    identifier = f' <span class="quiet">{isolate(scope.value)}</span>' if scope.name else ""
    reason = _reason(failure) if failure else ""
    cells = [_UNKNOWN] * len(_FIGURES)
    line = ""
    if scope.history:
        sums = usage_sums(scope.history)
        cells = [_UNKNOWN if value is None else escape(format_number(value)) for value in sums]
        days = scope.history.all_days[-_MONTH:]
        used = sum(days)
        cells.append(escape(format_percent(used / total)) if total and used >= 0 else _UNKNOWN)
        line = sparkline(days, _MONTH, f"at most {format_number(max(days))} a day")
    return (
        f'<tr><th scope="row">{name}{identifier}{reason}</th><td>{line}</td>'
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )


def _failed_row(failure: ScopeFailure) -> str:
    return (
        f'<tr><th scope="row">{isolate(failure.value or failure.scope)}{_reason(failure)}</th>'
        f"{f'<td>{_UNKNOWN}</td>' * (1 + len(_FIGURES))}</tr>"
    )


def _reason(failure: ScopeFailure) -> str:
    return f'<p class="error">{isolate(f"{failure.reason}: {failure.detail}")}</p>'
