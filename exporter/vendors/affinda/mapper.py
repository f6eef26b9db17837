"""Maps Affinda's daily figures to samples and allowances: the same for today and for a past day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.days import DAY, midnight_seconds
from exporter.forecast import with_forecast
from exporter.model import (
    Allowance,
    Anomaly,
    PollResult,
    Sample,
    ScopeUsage,
    UsageHistory,
    compact_days,
)
from exporter.usage_pace import BURN_WINDOW, HISTORY_DAYS
from exporter.vendors.affinda.metrics import (
    ALLOWANCE_NAMES,
    ALLOWED,
    AVAILABLE,
    AXES,
    CREDITS,
    INFO,
    PRICE,
    USAGE_DAY,
    USED,
    windows,
)
from exporter.vendors.common.text import unreadable_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from exporter.model import ScopeFailure
    from exporter.vendors.affinda.api import Scope, Usage
    from exporter.vendors.affinda.metrics import Axis
    from exporter.vendors.affinda.settings import Settings
    from exporter.vendors.common.allowance import AllowanceSettings


def poll_result(
    settings: Settings,
    usages: Mapping[Scope, Usage],
    names: Mapping[Axis, Mapping[str, str]],
    failures: tuple[ScopeFailure, ...] = (),
) -> PollResult:
    """What the figures of the organization (the first scope) and of its other scopes amount to.

    Args:
        settings: the target.
        usages: daily figures by scope; the organization's current day is everyone's.
        names: by axis, identifier to name, as far as known.
        failures: scopes that could not be read.
    """
    whole, organization_usage = next(iter(usages.items()))
    today = organization_usage.today
    organization = (settings.organization,)
    samples = [Sample(USAGE_DAY, organization, midnight_seconds(today))]
    histories = {scope: _history(usage, usage.today) for scope, usage in usages.items()}
    for scope, usage in usages.items():
        labels = organization if scope == whole else (*organization, scope.identifier)
        samples += _credit_samples(labels, scope, usage, today)
        if name := name_of(scope, names):
            samples.append(Sample(INFO[scope.axis], (*labels, name), 1))
    allowances: tuple[Allowance, ...] = ()
    notes = [
        f"{describe(scope)}: {unreadable_note(usage.unreadable)}"
        for scope, usage in usages.items()
        if usage.unreadable
    ]
    if settings.allowance:
        left = _remaining(
            settings.allowance, whole.identifier, name_of(whole, names), organization_usage
        )
        if isinstance(left, Allowance):
            samples += _allowance_samples(settings.allowance, left)
            allowances = (left,)
            if left.history == histories[whole]:
                histories[whole] = left.history  # the same days, held once
        else:
            notes.append(left)
    scopes = tuple(
        ScopeUsage(
            AXES[scope.axis].label, scope.identifier, name_of(scope, names), "credits", history
        )
        for scope, history in histories.items()
    )
    anomalies = tuple(_anomalies(organization_usage, usages.values()))
    return PollResult(tuple(samples), allowances, anomalies, failures, tuple(notes), scopes)


def name_of(scope: Scope, names: Mapping[Axis, Mapping[str, str]]) -> str:
    """The name of a scope; empty where unknown."""
    return names.get(scope.axis, {}).get(scope.identifier, "")


def describe(scope: Scope) -> str:
    """A scope for people, such as `workspace wSp1`."""
    return f"{AXES[scope.axis].text} {scope.identifier}"


def _credit_samples(
    labels: tuple[str, ...], scope: Scope, usage: Usage, today: date
) -> Iterator[Sample]:
    """A sample for each window whose days are all known; the others are absent."""
    window = windows(today)
    for suffix, metric in CREDITS[scope.axis].items():
        days = usage.days(*window[suffix])
        if days is not None:
            yield Sample(metric, labels, sum(days))


def _anomalies(organization_usage: Usage, usages: Iterable[Usage]) -> Iterator[Anomaly]:
    for usage in usages:
        yield from usage.anomalies
        if _exceeds(usage, organization_usage):
            yield Anomaly.SCOPE_MISMATCH


def _exceeds(part: Usage, whole: Usage) -> bool:
    """Whether a part used more than the whole on the last 28 complete days."""
    first, last = whole.today - BURN_WINDOW * DAY, whole.today - DAY
    of_part, of_whole = part.days(first, last), whole.days(first, last)
    return of_part is not None and of_whole is not None and sum(of_part) > sum(of_whole)


def _remaining(
    purchased: AllowanceSettings, organization: str, name: str, usage: Usage
) -> Allowance | str:
    """The allowance on the last day of the organization's figures; where there is none, why."""
    first, after = purchased.bounds(usage.today)
    if first > usage.today:
        return f"the allowance starts on {first}: it is not exposed before"
    if first < usage.start:
        return (
            f"the allowance began on {first}, before the response's first day ({usage.start}): "
            "what is left is unknown"
        )
    last = min(usage.today, after - DAY) if after else usage.today
    days = usage.days(first, last)
    used = None if days is None else sum(days)
    allowance = Allowance(
        account=organization,
        account_name=name,
        allowance="credits",
        allowance_name=ALLOWANCE_NAMES[purchased.period],
        unit="credits",
        allowed=purchased.credits,
        used=used,
        available=None if used is None else max(0, purchased.credits - used),
        renews=purchased.period != "prepaid",
        start=midnight_seconds(first),
        end=midnight_seconds(after) if after else None,
    )
    history = _history(usage, last)
    if history is None or len(history.days) < min((last - usage.start).days, BURN_WINDOW):
        return replace(allowance, history=history)  # no forecast with unknown days
    return with_forecast(allowance, history)


def _history(usage: Usage, last: date) -> UsageHistory | None:
    """The days until `last` for which all figures are known; None if that of `last` is unknown.

    The vendor's calendar counts, not the exporter's clock: equal figures have equal forecasts.
    """
    counts = usage.counts[: (last - usage.start).days + 1][-HISTORY_DAYS - 1 :]
    known: list[int] = []
    for count in reversed(counts):
        if count is None:
            break
        known.append(count)
    if not known:
        return None
    days = compact_days(known[:0:-1])
    return UsageHistory(midnight_seconds(usage.today), midnight_seconds(last), known[0], days)


def _allowance_samples(purchased: AllowanceSettings, left: Allowance) -> Iterator[Sample]:
    labels = (left.account,)
    for metric, value in ((ALLOWED, left.allowed), (USED, left.used), (AVAILABLE, left.available)):
        if value is not None:
            yield Sample(metric, labels, value)
    if purchased.price_per_credit is not None and purchased.currency:
        yield Sample(PRICE, (*labels, purchased.currency), purchased.price_per_credit)
