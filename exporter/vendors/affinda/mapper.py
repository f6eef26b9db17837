"""What Affinda's daily figures amount to: pure arithmetic, for today as for any day of the past."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter import forecast
from exporter.model import Allowance, Anomaly, PollResult, Sample
from exporter.vendors.affinda.metrics import (
    ALLOWANCE_NAMES,
    ALLOWED,
    AVAILABLE,
    CREDITS,
    INFO,
    PRICE,
    USAGE_DAY,
    USED,
    windows,
)
from exporter.vendors.common.days import DAY, midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from exporter.vendors.affinda.api import Scope, Usage
    from exporter.vendors.affinda.metrics import Axis
    from exporter.vendors.affinda.settings import Settings
    from exporter.vendors.common.allowance import AllowanceSettings


def poll_result(
    settings: Settings, usages: Mapping[Scope, Usage], names: Mapping[Axis, Mapping[str, str]]
) -> PollResult:
    """What the figures of the organization (the first scope) and of its other scopes say.

    Args:
        settings: the target.
        usages: daily figures by scope; the organization's current day is everyone's.
        names: by axis, identifier to name, as far as known.
    """
    whole = next(iter(usages.values()))
    organization = (settings.organization,)
    samples = [Sample(USAGE_DAY, organization, midnight(whole.today))]
    for scope, usage in usages.items():
        labels = _labels(organization, scope)
        samples += _credit_samples(labels, scope, usage, whole.today)
        if name := names.get(scope.axis, {}).get(scope.identifier):
            samples.append(Sample(INFO[scope.axis], (*labels, name), 1))
    left = None
    if settings.allowance:
        left = allowance_left(settings.allowance, settings.organization, whole)
    if settings.allowance and left:
        account_name = names.get("organization", {}).get(settings.organization, "")
        left = replace(left, account_name=account_name)
        samples += _allowance_samples(settings.allowance, left)
    return PollResult(
        tuple(samples), (left,) if left else (), tuple(_anomalies(whole, usages.values()))
    )


def _labels(organization: tuple[str], scope: Scope) -> tuple[str, ...]:
    return organization if scope.axis == "organization" else (*organization, scope.identifier)


def _credit_samples(
    labels: tuple[str, ...], scope: Scope, usage: Usage, today: date
) -> Iterator[Sample]:
    """A sample for each window that the figures cover; the others are absent."""
    window = windows(today)
    for suffix, metric in CREDITS[scope.axis].items():
        days = usage.days(*window[suffix])
        if days is not None:
            yield Sample(metric, labels, sum(days))


def _anomalies(whole: Usage, usages: Iterable[Usage]) -> Iterator[Anomaly]:
    for usage in usages:
        yield from usage.anomalies
        if _exceeds(usage, whole):
            yield Anomaly.SCOPE_MISMATCH


def _exceeds(part: Usage, whole: Usage) -> bool:
    """Whether a part used more than the whole on the last 28 complete days."""
    ours, all_of_it = _history(part, whole.today), _history(whole, whole.today)
    return ours is not None and all_of_it is not None and sum(ours) > sum(all_of_it)


def _history(usage: Usage, today: date) -> tuple[int, ...] | None:
    """The complete days from which a forecast is made."""
    return usage.days(today - forecast.HISTORY * DAY, today - DAY)


def allowance_left(bought: AllowanceSettings, organization: str, usage: Usage) -> Allowance | None:
    """What is left on the figures' last day; None before the period, or where figures lack.

    Args:
        bought: the configured allowance.
        organization: its identifier.
        usage: the organization's daily figures.
    """
    first, after = bought.bounds(usage.today)
    is_over = after is not None and after <= usage.today
    days = usage.days(first, after - DAY if after and is_over else usage.today)
    if days is None:
        return None
    history = _history(usage, usage.today)
    left = Allowance(
        account=organization,
        allowance="credits",
        allowance_name=ALLOWANCE_NAMES[bought.period],
        unit="credits",
        allowed=bought.credits,
        used=sum(days),
        available=max(0, bought.credits - sum(days)),
        burn_per_day=forecast.mean_per_day(history) if history else None,
        start=midnight(first),
        end=midnight(after) if after else None,
    )
    if not left.available:
        return replace(left, exhaustion=_ran_out(days, first, bought.credits))
    if is_over or not history:
        return left
    today = midnight(usage.today)
    out = forecast.run_out_by_weekdays(history, today, days[-1], bought.credits - sum(days))
    return replace(left, exhaustion=out)


def _ran_out(days: tuple[int, ...], first: date, allowed: int) -> float | None:
    """Midnight of the day on which the last credit went; None where nothing was used."""
    day = forecast.day_of_run_out(days, allowed)
    return None if day is None else midnight(first + day * DAY)


def _allowance_samples(bought: AllowanceSettings, left: Allowance) -> Iterator[Sample]:
    labels = (left.account,)
    yield Sample(ALLOWED, labels, left.allowed)
    yield Sample(USED, labels, left.used)
    yield Sample(AVAILABLE, labels, left.available)
    if bought.price_per_credit is not None and bought.currency:
        yield Sample(PRICE, (*labels, bought.currency), bought.price_per_credit)
