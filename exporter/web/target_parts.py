"""Parts that both pages show of a target: its state, its polls, its failures, its allowances."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from exporter.model import FailureReason
from exporter.presentation.formatting import (
    format_allowance,
    format_end,
    format_exhaustion,
    format_exhaustion_range,
    format_number,
    format_percent,
    format_projection,
    format_rounded_duration,
    format_scope_failure,
    format_title,
    runs_out_early,
    severity,
)
from exporter.web.conditions import CONDITIONS, poll_condition
from exporter.web.markup import date_element, isolate, time_element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.models import Alerts
    from exporter.model import Allowance
    from exporter.state.store import TargetSnapshot

_CAUSES: Final[Mapping[FailureReason, str]] = {
    FailureReason.DNS: "The vendor's host name cannot be resolved",
    FailureReason.CONNECT: "The vendor cannot be reached",
    FailureReason.TLS: "The TLS connection to the vendor failed",
    FailureReason.TIMEOUT: "The vendor did not respond in time",
    FailureReason.AUTH: "The vendor rejected the API key",
    FailureReason.FORBIDDEN: "A gateway or firewall rejected the request",
    FailureReason.RATE_LIMITED: "The vendor's rate limit was exceeded",
    FailureReason.CLIENT_ERROR: "The vendor rejected the request",
    FailureReason.SERVER_ERROR: "The vendor has an internal error",
    FailureReason.REDIRECT: "The vendor sent a redirect, which is not followed",
    FailureReason.TOO_LARGE: "The vendor's response is too large",
    FailureReason.MALFORMED: "The vendor's response is malformed",
    FailureReason.VENDOR_ERROR: "The vendor reported an error",
    FailureReason.SECRET: "The API key cannot be read",
    FailureReason.INTERNAL: "The exporter has an internal error",
}
_MAX_LINES: Final = 5
_RUNBOOK_URL: Final = (
    "https://github.com/docusage/docusage-exporter/blob/main/prometheus/RUNBOOK.md"
)


def vendor_and_state(snapshot: TargetSnapshot) -> str:
    """The vendor, whether the target is up, and whether its values have expired."""
    condition = poll_condition(snapshot)
    expired = f' <strong class="mark">{CONDITIONS["stale"]}</strong>' if snapshot.is_stale else ""
    return (
        f"<p>{escape(snapshot.target.vendor)} "
        f'<strong class="state {condition}">{CONDITIONS[condition]}</strong>{expired}</p>'
    )


def poll_times(snapshot: TargetSnapshot, now: float) -> str:
    """Since when polls fail, how old the values are, and when the next poll is due."""
    state = snapshot.state
    if state.last_poll is None:
        return '<p class="quiet">first poll soon</p>'
    lines = []
    if state.failing_since is not None:
        since = date_element(state.failing_since, now)
        lines.append(f"failing since {since}")
    age = "no values yet"
    if state.succeeded_at is not None:
        duration = format_rounded_duration(now - state.succeeded_at)
        age = f"values {time_element(state.succeeded_at, duration)} old"
    next_at = state.last_poll.next_at
    due = f"in {format_rounded_duration(next_at - now)}" if next_at > now else "now"
    lines.append(f"{age}, next poll {time_element(next_at, due)}")
    return "".join(f'<p class="quiet">{line}</p>' for line in lines)


def failures(snapshot: TargetSnapshot) -> str:
    """Why the last poll failed, which scopes could not be read, and the notes."""
    failure = snapshot.state.failure
    error = ""
    if failure:
        alert = "credentialsrejected" if failure.reason.is_credential else "targetdown"
        error = (
            f'<p class="error">{isolate(f"{_CAUSES[failure.reason]}: {failure.detail}")} '
            f'<a href="{_RUNBOOK_URL}#docusage{alert}">Runbook: {failure.reason}</a></p>'
        )
    scopes = _limited([format_scope_failure(each) for each in snapshot.scope_failures])
    notes = _limited(list(snapshot.result.notes if snapshot.result else ()))
    return "".join(
        [
            error,
            *(f'<p class="error">{isolate(scope)}</p>' for scope in scopes),
            *(f'<p class="quiet">{isolate(note)}</p>' for note in notes),
        ]
    )


def _limited(lines: list[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(lines) - _MAX_LINES
    return lines if more <= 0 else [*lines[:_MAX_LINES], f"and {more} more"]


def allowance_block(allowance: Allowance, alerts: Alerts, now: float) -> str:
    """What is left of an allowance, as a bar and a few words."""
    name = format_title(allowance)
    bar = share = ""
    if allowance.ratio is not None:
        level = severity(allowance, alerts)
        bar = _bar(name, allowance.ratio, level)
        share = f'<strong class="{level}">{escape(format_percent(allowance.ratio))} left</strong>: '
    return (
        f'<div class="allowance"><h3>{isolate(name)}</h3>{bar}'
        f"<p>{share}{escape(format_allowance(allowance))}</p>"
        f'<p class="quiet">{"; ".join(_outlook(allowance, now))}</p></div>'
    )


def _bar(name: str, ratio: float, level: str) -> str:
    """The share that is left, as SVG: Chromium fills only half the height of a styled `<meter>`."""
    share = f"{100 * ratio:.1f}"
    return (
        f'<svg class="{level}" role="meter" aria-label="{escape(name)}, share left" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share}" '
        f'aria-valuetext="{escape(format_percent(ratio))}" viewBox="0 0 100 1" '
        f'preserveAspectRatio="none"><rect width="{share}" height="1"/></svg>'
    )


def _outlook(allowance: Allowance, now: float) -> Iterator[str]:
    if allowance.burn_per_day is not None:
        yield escape(f"{format_number(allowance.burn_per_day)} a day")
    if text := format_exhaustion(allowance, now):
        days = format_exhaustion_range(allowance, now)
        likely = f", likely {days}" if days else ""
        early = (
            ', <strong class="mark">before it ends</strong>' if runs_out_early(allowance) else ""
        )
        yield f"{time_element(allowance.exhaustion, text)}{likely}{early}"
    if text := format_end(allowance, now):
        share = format_projection(allowance, now)
        by_then = escape(f", about {share} used by then") if share else ""
        yield f"{time_element(allowance.end, text)}{by_then}"
