"""The page at `/targets/NAME`: one target, with a picture of each allowance.

One HTML document without scripts, which can be printed.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from exporter.presentation.formatting import (
    format_exhaustion_range,
    format_number,
    format_percent,
    format_rounded_duration,
    format_title,
    is_used_up,
)
from exporter.presentation.outlook import format_day, format_outlook
from exporter.presentation.scope_usage import estimate_of, scopes_of, total_use
from exporter.web.allowance_chart import allowance_chart, scope_chart
from exporter.web.charts import usage_chart
from exporter.web.conditions import allowance_urgency
from exporter.web.estimate import estimate_section
from exporter.web.markup import date_element, document, isolate, other_pages, target_path
from exporter.web.scope_table import scopes_section
from exporter.web.target_parts import allowance_block, failures, poll_times, vendor_and_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.model import Allowance, ScopeUsage
    from exporter.state.store import TargetSnapshot, TargetState
    from exporter.web.charts import UsageChart

MAX_PICTURES: Final = 8  # allowances; the others are listed without
_ALL_TARGETS: Final = ("../", "All targets")
_MONTH: Final = 30
_OBSERVED: Final = 28  # days; with fewer, their number is shown


def target_page(snapshot: TargetSnapshot, now: float) -> bytes:
    """The page as UTF-8.

    Args:
        snapshot: the target.
        now: Unix seconds.
    """
    name = snapshot.target.name
    state = snapshot.state
    allowances = sorted(state.result.allowances if state.result else (), key=allowance_urgency)
    scopes = scopes_of(state)
    body = "".join(
        (
            _header(snapshot, now),
            "<main>",
            f'<p class="lead">{isolate(name)}{_lead(snapshot, allowances, now)}</p>',
            failures(snapshot),
            *(_allowance(snapshot, each, now) for each in allowances[:MAX_PICTURES]),
            _further(snapshot, allowances[MAX_PICTURES:], now),
            "" if allowances else _without_allowance(scopes, now),
            scopes_section(scopes, snapshot.scope_failures),
            _polls(snapshot, now),
            "</main>",
        )
    )
    return document(f"{name} · docusage-exporter", body)


def unknown_target_page(name: str) -> bytes:
    """The page of a name that no target has, as UTF-8."""
    body = (
        f"<header><h1>Unknown target</h1>{other_pages(_ALL_TARGETS)}</header>"
        f"<main><p>No target is named {isolate(name)}. It may have been renamed or removed, or "
        "another shard may poll it.</p></main>"
    )
    return document("Unknown target · docusage-exporter", body)


def _header(snapshot: TargetSnapshot, now: float) -> str:
    api = f"../api/v1/targets/{target_path(snapshot.target.name)}"
    pages = other_pages(_ALL_TARGETS, (api, "JSON"), (f"{api}/usage.csv", "Daily use as CSV"))
    return (
        f"<header><h1>{isolate(snapshot.target.name)}</h1>{vendor_and_state(snapshot)}{pages}</header>"
        f"{poll_times(snapshot, now)}"
    )


def _lead(snapshot: TargetSnapshot, allowances: Sequence[Allowance], now: float) -> str:
    """The rest of the sentence that matters, after the name, as HTML."""
    state = snapshot.state
    if state.last_poll is None:
        return " has not been polled yet: nothing is known."
    if state.result is None:
        return ": no poll has succeeded yet: nothing is known."
    if snapshot.is_stale:
        age = format_rounded_duration(now - (state.succeeded_at or now))
        return (
            f": the values are {age} old and have expired: what is left now is unknown. "
            "What was known then is below."
        )
    if not allowances:
        return f": {escape(_usage_sentence(state))}"
    worst, *others = allowances
    count = len(allowances)
    which = (
        f"{isolate(format_title(worst))}, the most urgent of {count:,} allowances: "
        if others
        else ""
    )
    return f": {which}{escape(format_outlook(worst, now))}"


def _usage_sentence(state: TargetState) -> str:
    """Where there is no allowance."""
    use = total_use(state, _MONTH)
    if use is None:
        return "No allowance is known, and no use."
    return (
        f"{format_number(sum(use.days))} {use.unit} were used on the last {len(use.days)} days. "
        "No allowance is known, so what is left is unknown."
    )


def _allowance(snapshot: TargetSnapshot, allowance: Allowance, now: float) -> str:
    estimate = None if snapshot.is_stale else estimate_of(allowance)
    chart = allowance_chart(snapshot, allowance, estimate, now)
    note = _missing_figures(snapshot, allowance)
    # The only allowance's sentence is at the top of the page, unless it has expired.
    sentence = "" if len(snapshot.allowances) == 1 else f"<p>{escape(chart.description)}</p>"
    facts = _facts(allowance, now, is_stale=snapshot.is_stale)
    return (
        f'<section class="picture"><h2>{isolate(format_title(allowance))}</h2>'
        f"{sentence}{_figure(chart)}{note}{_description_list(facts)}"
        f"{estimate_section(allowance.unit, *estimate) if estimate else ''}</section>"
    )


def _missing_figures(snapshot: TargetSnapshot, allowance: Allowance) -> str:
    """What the picture cannot show."""
    if allowance.cumulative_only:
        observed = snapshot.state.daily_usage.get((allowance.account, allowance.allowance))
        days = max(0, len(observed.days) - 1) if observed else 0
        which = "day" if days == 1 else "days"
        text = (
            "The vendor reports only a total. The exporter derives the use of each day from the "
            f"totals that it observes: {days or 'no'} complete {which} so far."
        )
        return f'<p class="quiet">{text}</p>' if days < _OBSERVED else ""
    if allowance.history is None:
        return '<p class="quiet">Use per day is unknown.</p>'
    return ""


def _without_allowance(scopes: Sequence[ScopeUsage], now: float) -> str:
    chart = scope_chart(scopes[0], now) if scopes else None
    if chart is None:
        return ""
    name = scopes[0].name or scopes[0].value
    return f'<section class="picture"><h2>{isolate(name)}</h2>{_figure(chart)}</section>'


def _further(snapshot: TargetSnapshot, allowances: Sequence[Allowance], now: float) -> str:
    """The allowances for which there is no picture."""
    if not allowances:
        return ""
    alerts = snapshot.target.alerts
    blocks = "".join(allowance_block(allowance, alerts, now) for allowance in allowances)
    return f"<section><h2>{len(allowances):,} further allowances</h2>{blocks}</section>"


def _figure(chart: UsageChart) -> str:
    items = "".join(
        f'<li><svg class="key" aria-hidden="true" viewBox="0 0 20 10">{shape}</svg>'
        f"{escape(text)}</li>"
        for shape, text in _legend(chart)
    )
    return (
        f'<figure>{usage_chart(chart)}<figcaption><ul class="legend">{items}</ul></figcaption>'
        "</figure>"
    )


def _legend(chart: UsageChart) -> Iterator[tuple[str, str]]:
    """What each part of the picture is, for the parts that it has."""
    totals = chart.totals
    bar = '<path class="{}" d="M3 0h14v10H3z"/>'
    line = '<path class="{}" d="M0 5h20"/>'
    if any(used > 0 for used in chart.days):
        yield bar.format("weekday"), "used on a weekday"
        yield bar.format("weekend"), "at the weekend"
    if chart.expected:
        yield bar.format("expected"), "expected"
    if totals:
        yield line.format("total"), "total used"
        if totals.unobserved:
            yield line.format("unobserved"), "before the first observed day"
        if totals.projection:
            yield line.format("projected"), "expected total"
            yield bar.format("range"), "its range in 8 of 10 cases"
    if chart.start is not None:
        yield line.format("start"), f"the period began on {format_day(chart.start)}"


def _description_list(facts: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<div><dt>{term}</dt><dd>{text}</dd></div>" for term, text in facts)
    return f"<dl>{items}</dl>"


def _count(value: float | None, allowance: Allowance) -> str:
    if value is None:
        return "unknown"
    return f"{escape(format_number(value))} {escape(allowance.unit)}"


def _facts(allowance: Allowance, now: float, *, is_stale: bool) -> Iterator[tuple[str, str]]:
    yield "Purchased", _count(allowance.allowed, allowance)
    yield "Used", _count(allowance.used, allowance)
    share = "" if allowance.ratio is None else f" ({escape(format_percent(allowance.ratio))})"
    yield "Left", _count(allowance.available, allowance) + share
    if not is_stale:
        yield from _forecast(allowance, now)
    if allowance.start is not None:
        yield "Period began", date_element(allowance.start, now)
    if allowance.end is not None:
        term = "Period ends" if allowance.end > now else "Period ended"
        renewal = ", then the same allowance follows" if allowance.renews else ""
        yield term, date_element(allowance.end, now) + renewal


def _forecast(allowance: Allowance, now: float) -> Iterator[tuple[str, str]]:
    if allowance.burn_per_day is not None:
        yield "Expected per day", _count(allowance.burn_per_day, allowance)
    if allowance.exhaustion is not None:
        days = format_exhaustion_range(allowance, now)
        between = f"; 8 of 10 times {days}" if days else ""
        text = date_element(allowance.exhaustion, now)
        yield "Ran out" if is_used_up(allowance) else "Runs out", f"{text}{between}"
    if allowance.projected_used is not None:
        ratio = allowance.projected_used_ratio
        of_all = f" ({escape(format_percent(ratio))} of what was purchased)" if ratio else ""
        yield "Expected at the period's end", _count(allowance.projected_used, allowance) + of_all


def _polls(snapshot: TargetSnapshot, now: float) -> str:
    state, settings = snapshot.state, snapshot.target.poll
    anomalies = (f"{count:,} {kind.replace('_', ' ')}" for kind, count in state.anomalies.items())
    facts = []
    if poll := state.last_poll:
        facts += [
            ("Last poll", date_element(poll.at, now)),
            ("Next poll", date_element(poll.next_at, now)),
            ("Duration", f"{poll.duration:.2f} s"),
            ("Requests of the last poll", f"{poll.requests:,}"),
        ]
    facts += [
        ("Interval", format_rounded_duration(settings.interval)),
        ("Values expire after", format_rounded_duration(settings.stale_after)),
        ("Polls since the start", f"{state.polls:,}, of which {state.failures:,} failed"),
        ("Requests since the start", f"{state.requests:,}"),
        ("Anomalies since the start", ", ".join(anomalies) or "none"),
    ]
    return f"<section><h2>Polls</h2>{_description_list(facts)}</section>"
