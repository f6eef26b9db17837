"""One target on the status page: its state, its allowances and its last error, as HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final

from exporter.model import FailureReason
from exporter.state.presentation import (
    format_account,
    format_allowance,
    format_allowance_name,
    format_date,
    format_number,
    format_scope_failure,
    severity,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.models import Alerts
    from exporter.model import Allowance, PollFailure
    from exporter.state.store import TargetSnapshot

CONDITIONS: Final[Mapping[str, str]] = {
    "up": "up",
    "down": "down",
    "waiting": "not polled yet",
    "stale": "values withdrawn",
    "low": "running low",
    "early": "runs out before it ends",
}
"""What can be said of a target, and the words for it. A target is one of the first three;
any of the others may be true besides."""

_WORDS: Final[Mapping[FailureReason, str]] = {
    FailureReason.DNS: "The vendor's host name cannot be resolved",
    FailureReason.CONNECT: "The vendor cannot be reached",
    FailureReason.TLS: "No trusted connection to the vendor",
    FailureReason.TIMEOUT: "The vendor did not answer in time",
    FailureReason.AUTH: "The vendor refuses the key",
    FailureReason.FORBIDDEN: "The request was refused on its way to the vendor",
    FailureReason.RATE_LIMITED: "The vendor asks for fewer requests",
    FailureReason.CLIENT_ERROR: "The vendor refuses the request",
    FailureReason.SERVER_ERROR: "The vendor has a problem of its own",
    FailureReason.REDIRECT: "The vendor points elsewhere, which is not followed",
    FailureReason.TOO_LARGE: "The vendor's reply is too large",
    FailureReason.MALFORMED: "The vendor's reply is not what its reference says",
    FailureReason.VENDOR_ERROR: "The vendor reports a failure",
    FailureReason.SECRET: "The key cannot be read",
    FailureReason.INTERNAL: "A fault of the exporter itself",
}
_MAX_LINES: Final = 5
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def conditions(snapshot: TargetSnapshot) -> frozenset[str]:
    """Those of `CONDITIONS` that are true of a target."""
    return frozenset(_conditions(snapshot))


def _conditions(snapshot: TargetSnapshot) -> Iterator[str]:
    yield "up" if snapshot.state.is_up else "down" if snapshot.state.failure else "waiting"
    if snapshot.is_stale:
        yield "stale"
    for allowance in snapshot.allowances:
        if severity(allowance, snapshot.target.alerts) != "fine":
            yield "low"
        if is_early(allowance):
            yield "early"


def is_early(allowance: Allowance) -> bool:
    """Whether it runs out before its period ends."""
    exhaustion, end = allowance.exhaustion, allowance.end
    return exhaustion is not None and end is not None and exhaustion < end


def words_of_failure(failure: PollFailure) -> str:
    """A failure as a sentence, with the detail that the poll left."""
    return f"{_WORDS[failure.reason]}: {failure.detail}"


def span(seconds: float) -> str:
    """A length of time in its largest unit; what is below 0 is no time."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def target_row(snapshot: TargetSnapshot, now: float) -> str:
    """A target as an item of the list; `now` is in Unix seconds."""
    state = next(_conditions(snapshot))
    stale = ' <strong class="mark">values withdrawn</strong>' if snapshot.is_stale else ""
    return (
        f'<li class="target"><div class="who"><h2>{_foreign(snapshot.target.name)}</h2>'
        f"<p>{escape(snapshot.target.vendor)} "
        f'<strong class="state {state}">{CONDITIONS[state]}</strong>{stale}</p>'
        f'<p class="quiet">{_rhythm(snapshot, now)}</p></div>'
        f'<div class="what">{_error(snapshot)}{_allowances(snapshot, now)}</div></li>'
    )


def _rhythm(snapshot: TargetSnapshot, now: float) -> str:
    """How old the data is, and when the next poll is."""
    last, succeeded_at = snapshot.state.last_poll, snapshot.state.succeeded_at
    if last is None:
        return "first poll soon"
    age = (
        "no data yet"
        if succeeded_at is None
        else f"data {_time(succeeded_at, span(now - succeeded_at))} old"
    )
    return f"{age}, next poll {_time(last.next_at, 'in ' + span(last.next_at - now))}"


def _error(snapshot: TargetSnapshot) -> str:
    failure = snapshot.state.failure
    errors = [words_of_failure(failure)] if failure else []
    errors += _limited([format_scope_failure(each) for each in snapshot.scope_failures])
    notes = _limited(list(snapshot.result.notes if snapshot.result else ()))
    return "".join(
        [
            *(f'<p class="error">{_foreign(error)}</p>' for error in errors),
            *(f'<p class="quiet">{_foreign(note)}</p>' for note in notes),
        ]
    )


def _limited(lines: list[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(lines) - _MAX_LINES
    return lines if more <= 0 else [*lines[:_MAX_LINES], f"and {more} more"]


def _allowances(snapshot: TargetSnapshot, now: float) -> str:
    if snapshot.allowances:
        alerts = snapshot.target.alerts
        return "".join(_allowance(allowance, alerts, now) for allowance in snapshot.allowances)
    if snapshot.result:
        return '<p class="quiet">No allowance is known: nothing to run out.</p>'
    return ""


def _allowance(allowance: Allowance, alerts: Alerts, now: float) -> str:
    name = f"{format_account(allowance)} {format_allowance_name(allowance)}"
    bar = share = ""
    if allowance.ratio is not None:
        level = _level(allowance, alerts)
        bar = _bar(name, allowance.ratio, level)
        share = f'<strong class="{level}">{_percent(allowance.ratio)} left</strong> '
    return (
        f'<div class="allowance"><h3>{_foreign(name)}</h3>{bar}'
        f"<p>{share}{escape(format_allowance(allowance))}</p>"
        f'<p class="quiet">{_outlook(allowance, now)}</p></div>'
    )


def _level(allowance: Allowance, alerts: Alerts) -> str:
    level = severity(allowance, alerts)
    return "plenty" if level == "fine" else level


def _bar(name: str, ratio: float, level: str) -> str:
    """The share that is left; drawn, because Chromium fills a styled `<meter>` by half."""
    share = f"{100 * ratio:.1f}"
    return (
        f'<svg class="{level}" role="meter" aria-label="{escape(name)}, share left" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share}" '
        f'aria-valuetext="{_percent(ratio)}" viewBox="0 0 100 1" preserveAspectRatio="none">'
        f'<rect width="{share}" height="1"/></svg>'
    )


def _percent(ratio: float) -> str:
    """The share that is left, never rounded to what it is not: all or nothing."""
    percent = 100 * ratio
    if 0 < percent < 1:
        return "under 1 %"
    return f"{min(round(percent), 99) if percent < 100 else 100} %"  # noqa: PLR2004  all of it


def _outlook(allowance: Allowance, now: float) -> str:
    parts = []
    if allowance.burn_per_day is not None:
        parts.append(f"{format_number(allowance.burn_per_day)} a day")
    if allowance.exhaustion is not None:
        early = ', <strong class="mark">before it ends</strong>' if is_early(allowance) else ""
        parts.append(
            f"runs out {_time(allowance.exhaustion, format_date(allowance.exhaustion, now))}{early}"
        )
    if allowance.end is not None:
        parts.append(f"ends {_time(allowance.end, format_date(allowance.end, now))}")
    return "; ".join(parts)


def _time(moment: float, words: str) -> str:
    """A moment for people, and exactly for programs as far as a date can say it."""
    try:
        exact = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return words
    return f'<time datetime="{exact}">{words}</time>'


def _foreign(text: str) -> str:
    """Text from outside, escaped, and kept from turning the direction of what stands around it."""
    return f"<bdi>{escape(text)}</bdi>"
