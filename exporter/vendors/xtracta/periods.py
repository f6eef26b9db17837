"""Past periods of Xtracta's plans and packs: request, response, and what follows from them.

Source: Xtracta API v1, `POST /v1/billings/history`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from exporter.days import DAY_SECONDS
from exporter.model import malformed_response
from exporter.vendors.common import xml_parser
from exporter.vendors.xtracta.api import PlanReader, api_request, check_envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.client.client import Request
    from exporter.secrets import Secret
    from exporter.vendors.common.xml_parser import Element
    from exporter.vendors.xtracta.api import Plan
    from exporter.vendors.xtracta.settings import Settings

PAST_SECONDS: Final = 750 * DAY_SECONDS
"""How far back the period before the present one of a plan may begin: two years."""

_MAX_GAP: Final = DAY_SECONDS  # between two periods that follow each other
_SIMILAR: Final = 0.8  # length of one period divided by that of the other, at least


class PlanPeriod(NamedTuple):
    """A plan or pack as it was when a period of it ended, and the period, Unix seconds."""

    plan: Plan
    begin: float
    end: float

    @property
    def of(self) -> tuple[str, str]:
        """What the plan or pack has in common with its other periods."""
        return self.plan.kind, self.plan.identifier


def history_request(
    settings: Settings, key: Secret, group: str, begin: float, end: float
) -> Request:
    """Request the periods of a group from `begin` until before `end`, Unix seconds."""
    if not group:
        raise malformed_response(
            "the response has no id of the key's own group; set groups to that id"
        )
    form = {
        "group_id": group,
        "billing_from": f"{begin:.0f}",
        "billing_to": f"{end - 1:.0f}",
    }
    return api_request(settings, key, "billings/history", form)


def parse_history(body: bytes, key: Secret, group: str) -> list[PlanPeriod]:
    """The periods in a response about `group`, in order of time.

    Those without a start, an end or an id are left out; one without a readable group is of
    `group`. A period ends where the next one of the same plan or pack begins.

    Raises:
        PollError: as `parse_usage` does.
    """
    activities = check_envelope(body, "billings_response", key).iter("activity")
    periods = (_period(activity, key, group) for activity in activities)
    return _without_overlaps(filter(None, periods))


def _period(activity: Element, key: Secret, group: str) -> PlanPeriod | None:
    plan_type = xml_parser.child_text(activity, "plan_type") or ""
    kind: Literal["plan", "pack"] = "pack" if plan_type.lower() == "pack" else "plan"
    plan = PlanReader(activity, kind, key).plan(int(group))
    if plan.start is None or plan.expiry is None or not plan.identifier:
        return None
    resources = {
        name: figures._replace(available=figures.remaining)
        for name, figures in plan.resources.items()
    }
    return PlanPeriod(plan._replace(resources=resources), plan.start, plan.expiry)


def _without_overlaps(periods: Iterable[PlanPeriod]) -> list[PlanPeriod]:
    follows: dict[tuple[str, str], float] = {}
    found = []
    for period in sorted(periods, key=lambda each: each.begin, reverse=True):
        found.append(period._replace(end=min(period.end, follows.get(period.of, period.end))))
        follows[period.of] = period.begin
    return found[::-1]


class PreviousPeriod(NamedTuple):
    """What the period before the present one says of a plan.

    Args:
        begin: when it began, Unix seconds.
        used: by resource, as far as known.
        renewed: whether the present one is its renewal: it follows at once and is as long.
    """

    begin: float
    used: Mapping[str, int]
    renewed: bool


def previous_period(plan: Plan, periods: Sequence[PlanPeriod]) -> PreviousPeriod | None:
    """The period that ended where the present one of `plan` began; None if none is known.

    Args:
        plan: as reported now.
        periods: of its group, as `parse_history` gives them.
    """
    start, expiry = plan.start, plan.expiry
    if plan.kind != "plan" or start is None:
        return None
    for period in reversed(periods):
        if period.of == (plan.kind, plan.identifier) and abs(period.end - start) <= _MAX_GAP:
            days, now = period.end - period.begin, (expiry or start) - start
            figures = period.plan.resources.items()
            return PreviousPeriod(
                period.begin,
                {name: each.used for name, each in figures if each.used is not None},
                renewed=min(days, now) >= _SIMILAR * max(days, now),
            )
    return None
