"""What Xtracta's plans and packs amount to: pure arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter import forecast
from exporter.model import Allowance, PollResult, Sample, malformed_response
from exporter.vendors.xtracta.metrics import (
    EXPIRY,
    GROUP_INFO,
    PACK,
    PACK_PRICE,
    PLAN,
    PLAN_INFO,
    PRICE,
    START,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.vendors.xtracta.api import Group, Plan, Usage


def poll_result(
    usages: Mapping[int | None, Usage], names: Mapping[str, Group], now: float
) -> PollResult:
    """What the replies about all groups of a target say.

    Args:
        usages: by the group asked for.
        names: by group id.
        now: Unix seconds: the pace of a plan's use is taken up to now.

    Raises:
        PollError: malformed, when there is no plan at all: good values are not given up for that.
    """
    plans = [plan for usage in usages.values() for plan in usage.plans]
    if not plans:
        raise malformed_response("the reply has no plan and no pack")
    samples = [sample for plan in plans for sample in _samples(plan)]
    samples += (
        Sample(GROUP_INFO, (group, names[group].name, names[group].parent), 1)
        for group in dict.fromkeys(plan.group for plan in plans)
        if group in names
    )
    return PollResult(
        tuple(samples),
        tuple(_allowances(plans, names, now)),
        tuple(anomaly for usage in usages.values() for anomaly in usage.anomalies),
    )


def _samples(plan: Plan) -> Iterator[Sample]:
    labels = (plan.group, plan.identifier)
    for figure, metric in (PLAN if plan.kind == "plan" else PACK).items():
        yield Sample(metric, labels, plan.figures[figure])
    if plan.price is not None and plan.currency:
        price = PRICE if plan.kind == "plan" else PACK_PRICE
        yield Sample(price, (*labels, plan.currency), plan.price)
    if plan.kind == "pack":
        return
    if plan.start is not None:
        yield Sample(START, labels, plan.start)
    if plan.expiry is not None:
        yield Sample(EXPIRY, labels, plan.expiry)
    yield Sample(PLAN_INFO, (*labels, plan.name), 1)


def _allowances(
    plans: Iterable[Plan], names: Mapping[str, Group], now: float
) -> Iterator[Allowance]:
    """One of each plan and pack, by its id; a pack whose id is also a plan's gives way."""
    taken = {(plan.group, plan.identifier) for plan in plans if plan.kind == "plan"}
    for plan in plans:
        is_taken = plan.kind == "pack" and (plan.group, plan.identifier) in taken
        identifier = f"pack-{plan.identifier}" if is_taken else plan.identifier
        account_name = names[plan.group].name if plan.group in names else ""
        yield replace(_allowance(plan, identifier, now), account_name=account_name)


def _allowance(plan: Plan, identifier: str, now: float) -> Allowance:
    left = Allowance(
        account=plan.group,
        allowance=identifier,
        unit="documents",
        allowance_name=plan.name,
        allowed=plan.figures["allowed"],
        used=plan.figures["used"],
        available=plan.figures["available"],
        burn_per_day=_burn(plan, now),
        start=plan.start,
        end=plan.expiry,
        cumulative_only=True,
    )
    is_over = plan.expiry is not None and plan.expiry <= now
    if left.burn_per_day is None or is_over:
        return left
    out = forecast.run_out_by_mean(left.burn_per_day, now, left.available)
    return replace(left, exhaustion=out)


def _burn(plan: Plan, now: float) -> float | None:
    """Mean use per day since the start; a plan's first day counts as a whole one."""
    if plan.start is None or plan.start > now:
        return None
    until = now if plan.expiry is None else min(now, plan.expiry)
    return plan.figures["used"] / max(1.0, (until - plan.start) / forecast.DAY)
