"""Maps Xtracta's plans and packs to samples and allowances: pure functions."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.forecast import history_of_total, with_forecast
from exporter.model import Allowance, PollResult, Sample
from exporter.vendors.common.text import unreadable_note
from exporter.vendors.xtracta.metrics import (
    DOCUMENTS,
    EXPIRY,
    GROUP_INFO,
    PACK,
    PACK_PRICE,
    PLAN,
    PLAN_INFO,
    PRICE,
    RESOURCE,
    START,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.model import MetricFamily, ScopeFailure
    from exporter.vendors.xtracta.api import Figures, Group, Plan, Usage
    from exporter.vendors.xtracta.periods import PreviousPeriod


class EarlierPeriods(NamedTuple):
    """What is known of the periods before the present ones.

    Args:
        periods: by group and id of the plan.
        notes: for people: groups whose past could not be read, and why.
        renews: whether plans are renewed when they end, even where no past period shows it.
    """

    periods: Mapping[tuple[str, str], PreviousPeriod] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    renews: bool = False


NOTHING_EARLIER: Final = EarlierPeriods()


def poll_result(
    usages: Mapping[int | None, Usage],
    names: Mapping[str, Group],
    now: float,
    failures: tuple[ScopeFailure, ...] = (),
    past: EarlierPeriods = NOTHING_EARLIER,
) -> PollResult:
    """What the responses about the groups of a target amount to.

    Args:
        usages: by the group requested.
        names: by group id.
        now: Unix seconds: the mean use of a plan is up to now.
        failures: groups that could not be read.
        past: what is known of earlier periods.
    """
    plans = [plan for usage in usages.values() for plan in usage.plans]
    results = [plan_result(plan, plans, names, now, past) for plan in plans]
    samples = [sample for result in results for sample in result.samples]
    samples += group_samples(dict.fromkeys(plan.group for plan in plans), names)
    return PollResult(
        tuple(samples),
        tuple(allowance for result in results for allowance in result.allowances),
        tuple(anomaly for usage in usages.values() for anomaly in usage.anomalies),
        failures,
        tuple(
            f"{describe(group)}: {unreadable_note(usage.unreadable)}"
            for group, usage in usages.items()
            if usage.unreadable
        )
        + past.notes,
    )


def plan_result(
    plan: Plan,
    plans: Iterable[Plan],
    names: Mapping[str, Group],
    now: float,
    past: EarlierPeriods = NOTHING_EARLIER,
) -> PollResult:
    """What one plan or pack amounts to.

    Args:
        plan: the plan or pack.
        plans: all of its group, which may have its id, too.
        names: by group id.
        now: Unix seconds.
        past: what is known of earlier periods; a pack has none, and is not renewed.
    """
    identifier = _allowance_identifier(plan, plans)
    is_plan = plan.kind == "plan"
    previous = past.periods.get((plan.group, plan.identifier)) if is_plan else None
    allowances = (
        Allowance(
            account=plan.group,
            account_name=names[plan.group].name if plan.group in names else "",
            allowance=identifier if resource == DOCUMENTS else f"{identifier}-{resource}",
            allowance_name=(
                plan.name if resource == DOCUMENTS else f"{plan.name} {resource}".lstrip()
            ),
            unit=resource,
            allowed=figures.allowed,
            used=figures.used,
            available=figures.remaining,
            renews=is_plan and (past.renews or bool(previous and previous.renewed)),
            start=plan.start,
            end=plan.expiry,
            previous_start=previous and previous.begin,
            previous_used=previous and previous.used.get(resource),
            cumulative_only=True,
        )
        for resource, figures in plan.resources.items()
    )
    return PollResult(
        tuple(_samples(plan, identifier)),
        tuple(_with_forecast(allowance, now) for allowance in allowances),
    )


def group_samples(groups: Iterable[str], names: Mapping[str, Group]) -> Iterator[Sample]:
    """The name and the place of each group, as far as known."""
    for group in groups:
        if group in names:
            yield Sample(GROUP_INFO, (group, names[group].name, names[group].parent), 1)


def describe(group: int | str | None) -> str:
    """A group for people; without an id it is the key's own."""
    return f"group {group}" if group else "the key's own group"


def _allowance_identifier(plan: Plan, plans: Iterable[Plan]) -> str:
    """The id of a plan or pack; where a pack has the id of a plan, with a prefix."""
    has_twin = plan.kind == "pack" and any(
        other.kind == "plan" and other[1:3] == plan[1:3] for other in plans
    )
    return f"pack-{plan.identifier}" if has_twin else plan.identifier


def _samples(plan: Plan, identifier: str) -> Iterator[Sample]:
    labels = (plan.group, plan.identifier)
    for resource, figures in plan.resources.items():
        if resource == DOCUMENTS:
            yield from _figures(PLAN if plan.kind == "plan" else PACK, labels, figures)
        else:
            yield from _figures(RESOURCE, (plan.group, identifier, resource), figures)
    if plan.price is not None and plan.currency:
        price = PRICE if plan.kind == "plan" else PACK_PRICE
        yield Sample(price, (*labels, plan.currency), float(plan.price))
    if plan.kind == "pack":
        return
    if plan.start is not None:
        yield Sample(START, labels, plan.start)
    if plan.expiry is not None:
        yield Sample(EXPIRY, labels, plan.expiry)
    yield Sample(PLAN_INFO, (*labels, plan.name), 1)


def _figures(
    metrics: Mapping[str, MetricFamily], labels: tuple[str, ...], figures: Figures
) -> Iterator[Sample]:
    """A sample for each figure that is known."""
    for name, value in figures._asdict().items():
        if value is not None:
            yield Sample(metrics[name], labels, value)


def _with_forecast(allowance: Allowance, now: float) -> Allowance:
    if allowance.end is None or allowance.end > now:
        return with_forecast(allowance, history_of_total(allowance, now, ()))
    # Once it has ended, its use per day remains; if it ran out before, when is unknown.
    unknown = replace(allowance, available=None)
    ended = with_forecast(unknown, history_of_total(allowance, allowance.end, ()))
    return replace(ended, available=allowance.available)
