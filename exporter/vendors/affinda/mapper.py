"""Maps Affinda's daily figures to samples and allowances: the same for today and for a past day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter import forecast
from exporter.model import Allowance, Anomaly, PollResult, Sample
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
from exporter.vendors.common.days import DAY, midnight
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
    organization_usage = next(iter(usages.values()))
    today = organization_usage.today
    organization = (settings.organization,)
    samples = [Sample(USAGE_DAY, organization, midnight(today))]
    for scope, usage in usages.items():
        labels = _labels(organization, scope)
        samples += _credit_samples(labels, scope, usage, today)
        if name := names.get(scope.axis, {}).get(scope.identifier):
            samples.append(Sample(INFO[scope.axis], (*labels, name), 1))
    allowances: tuple[Allowance, ...] = ()
    notes = [
        f"{describe(scope)}: {unreadable_note(usage.unreadable)}"
        for scope, usage in usages.items()
        if usage.unreadable
    ]
    if settings.allowance:
        name = names.get("organization", {}).get(settings.organization, "")
        left = remaining(
            settings.allowance, Account(settings.organization, name), organization_usage
        )
        if isinstance(left, Allowance):
            samples += _allowance_samples(settings.allowance, left)
            allowances = (left,)
        else:
            notes.append(left)
    anomalies = tuple(_anomalies(organization_usage, usages.values()))
    return PollResult(tuple(samples), allowances, anomalies, failures, tuple(notes))


def describe(scope: Scope) -> str:
    """A scope for people, such as `workspace wSp1`."""
    return f"{AXES[scope.axis].text} {scope.identifier}"


def _labels(organization: tuple[str], scope: Scope) -> tuple[str, ...]:
    return organization if scope.axis == "organization" else (*organization, scope.identifier)


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
    of_part, of_whole = _history(part, whole.today), _history(whole, whole.today)
    return of_part is not None and of_whole is not None and sum(of_part) > sum(of_whole)


def _history(usage: Usage, today: date) -> tuple[int, ...] | None:
    """The complete days from which a forecast is made."""
    return usage.days(today - forecast.HISTORY * DAY, today - DAY)


class Account(NamedTuple):
    """An organization; its name is empty where unknown."""

    identifier: str
    name: str


def remaining(purchased: AllowanceSettings, account: Account, usage: Usage) -> Allowance | str:
    """The allowance on the figures' last day; where there is none, why.

    Args:
        purchased: the configured allowance.
        account: the organization.
        usage: its daily figures.
    """
    first, after = purchased.bounds(usage.today)
    if first > usage.today:
        return f"the allowance starts on {first}: it is not exposed before"
    if first < usage.start:
        return (
            f"the allowance began on {first}, before the reply's first day ({usage.start}): "
            "what is left is unknown"
        )
    is_over = after is not None and after <= usage.today
    days = usage.days(first, after - DAY if after and is_over else usage.today)
    used = None if days is None else sum(days)
    history = _history(usage, usage.today)
    return Allowance(
        account=account.identifier,
        account_name=account.name,
        allowance="credits",
        allowance_name=ALLOWANCE_NAMES[purchased.period],
        unit="credits",
        allowed=purchased.credits,
        used=used,
        available=None if used is None else max(0, purchased.credits - used),
        burn_per_day=forecast.mean_per_day(history) if history else None,
        exhaustion=None
        if days is None
        else _exhaustion(purchased.credits, first, days, usage, is_over=is_over),
        start=midnight(first),
        end=midnight(after) if after else None,
    )


def _exhaustion(
    allowed: int, first: date, days: tuple[int, ...], usage: Usage, *, is_over: bool
) -> float | None:
    """When the last credit was or will be used; None where nothing is used or purchased."""
    available = allowed - sum(days)
    if not allowed:
        return None
    if available <= 0:
        day = forecast.day_of_run_out(days, allowed)
        return None if day is None else midnight(first + day * DAY)
    history = _history(usage, usage.today)
    if is_over or not history:
        return None
    return forecast.run_out_by_weekdays(history, midnight(usage.today), days[-1], available)


def _allowance_samples(purchased: AllowanceSettings, left: Allowance) -> Iterator[Sample]:
    labels = (left.account,)
    for metric, value in ((ALLOWED, left.allowed), (USED, left.used), (AVAILABLE, left.available)):
        if value is not None:
            yield Sample(metric, labels, value)
    if purchased.price_per_credit is not None and purchased.currency:
        yield Sample(PRICE, (*labels, purchased.currency), purchased.price_per_credit)
