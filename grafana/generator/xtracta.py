"""Xtracta: how full each plan is, whether it lasts until it ends, and what a document costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import Row, dashboard, target_variable, variable
from grafana.generator.panels import (
    DATASOURCE,
    FULL,
    LEFT,
    bargauge,
    override,
    query,
    table,
    timeseries,
)
from grafana.generator.queries import PLAN, max_by, series

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_DAY: Final = 86400
_PLAN: Final = 'plan_id=~"$plan"'
_LEGEND: Final = "{{plan_name}} ({{group_id}})"


def board() -> Json:
    """The whole of it."""
    return dashboard(
        "Xtracta",
        "How full each plan is, whether it lasts until it ends, and what a document costs.",
        [
            Row(6, [_fill(), _packs(), _ends()]),
            Row(10, [_burn_down()]),
            Row(8, [_per_day()]),
            Row(6, [_plans()]),
        ],
        since="now-60d",
        variables=[
            target_variable('vendor="xtracta"'),
            variable(
                "plan",
                "Plan",
                "query_result(max by (plan_id, plan_name)"
                ' (xtracta_plan_info{job=~"$job", target=~"$target"}))',
                regex='/plan_id="(?<value>[^"]+)".*plan_name="(?<text>[^"]*)"/',
            ),
        ],
        annotations={"list": [_renewals()]},
    )


def _figure(name: str, over: str = "") -> str:
    of = "last_over_time({})" if over else "{}"
    return max_by(f"xtracta_{name}", *PLAN, matching=_PLAN, over=over, of=of)


def _named(expression: str) -> str:
    """With the plan's name as a label."""
    info = max_by("xtracta_plan_info", *PLAN, "plan_name", matching=_PLAN)
    return f"({expression}) * on ({', '.join(PLAN)}) group_left (plan_name) {info}"


def _renewals() -> Json:
    start = series("xtracta_plan_start_timestamp_seconds", _PLAN, over="[$__interval]")
    return {
        "name": "Renewals",
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "purple",
        "expr": f"max by (target, group_id, plan_id) (changes({start})) > 0",
        "step": "1h",
        "titleFormat": "Renewed",
        "textFormat": "plan {{plan_id}} of {{target}}",
    }


def _fill() -> Json:
    part = f"{_figure('documents_used')} / ({_figure('documents_allowed')} > 0)"
    return bargauge(
        "How full is each plan?",
        "Documents used as a part of those allowed, the fullest first.",
        query(f"sort_desc({_named(part)})", _LEGEND, instant=True),
        steps=FULL,
        unit="percentunit",
        decimals=0,
        min=0,
        max=1,
    )


def _packs() -> Json:
    by = ("target", "group_id", "pack_id")
    left, allowed = (
        max_by(f"xtracta_pack_documents_{name}", *by) for name in ("available", "allowed")
    )
    return bargauge(
        "What is left in booster packs?",
        "Documents left as a part of those bought, the least first.",
        query(
            f"sort(({left}) / ({allowed} > 0))",
            "{{pack_id}} ({{group_id}})",
            instant=True,
        ),
        steps=LEFT,
        unit="percentunit",
        decimals=0,
        min=0,
        max=1,
        noValue="no packs",
    )


def _ends() -> Json:
    ends = f"{_figure('plan_expiry_timestamp_seconds')} - time()"
    return bargauge(
        "How many days until each plan ends?",
        "The next to end first. Red is within two days, orange within a week; below zero the plan"
        " has ended and was not renewed.",
        query(f"sort(({_named(ends)}) / {_DAY})", _LEGEND, instant=True),
        steps=[(None, "red"), (2, "orange"), (7, "green")],
        unit="d",
        decimals=1,
        min=0,
    )


def _burn_down() -> Json:
    start, expiry = (_figure(f"plan_{end}_timestamp_seconds") for end in ("start", "expiry"))
    even = (
        f"{_figure('documents_allowed')} * clamp_min(({expiry} - time()) / ({expiry} - {start}), 0)"
    )
    panel = timeseries(
        "Will ${plan:text} last until it ends?",
        "Documents left, and as a dashed line what would be left of an even use that ends with the"
        " plan: below the line the plan runs out early. Vertical lines are renewals.",
        query(_named(_figure("documents_available")), "left"),
        query(_named(even), "even use"),
        overrides=(
            override(
                "even use",
                custom__lineStyle={"fill": "dash", "dash": [8, 6]},
                custom__lineWidth=1,
                custom__fillOpacity=0,
                color={"mode": "fixed", "fixedColor": "orange"},
            ),
        ),
        custom={"fillOpacity": 10},
        unit="locale",
        decimals=0,
        min=0,
    )
    return panel | {"repeat": "plan", "repeatDirection": "h", "maxPerRow": 3}


def _per_day() -> Json:
    of_day = (
        f"({_figure('documents_used', '[1d] offset -1d')}) - ({_figure('documents_used', '[1d]')})"
    )
    return timeseries(
        "How many documents were used each day?",
        "Documents per plan and day (UTC); the last bar is today so far, and the day of a renewal"
        " is left out.",
        query(f"({_named(of_day)}) >= 0", _LEGEND, step="1d"),
        stacked=True,
        unit="locale",
        decimals=0,
    )


def _plans() -> Json:
    by = (*PLAN, "currency")
    price = max_by("xtracta_plan_price", *by, matching=_PLAN)
    keys = f"on ({', '.join(PLAN)}) group_left ()"
    allowed, used = (_figure(f"documents_{name}") for name in ("allowed", "used"))
    questions = [
        price,
        f"({price}) / {keys} ({allowed} > 0)",
        f"({price}) / {keys} ({used} > 0)",
        f"({price}) * 0 + {keys} ({_figure('documents_available')})",
        f"({price}) * 0 + {keys} ({_figure('plan_expiry_timestamp_seconds')} - time())",
    ]
    money = {"decimals": 3}
    return table(
        "What does a document cost?",
        "The price of each plan for its whole period, for each document that it allows, and for"
        " each that was used so far: an unused plan makes dear documents. Never converted.",
        *(query(_with_name(question, by), table=True) for question in questions),
        columns={
            "target": {"name": "Target"},
            "group_id": {"name": "Group", "unit": "string"},
            "plan_name": {"name": "Plan"},
            "currency": {"name": "Currency"},
            "Value #A": {"name": "Price", "decimals": 2},
            "Value #B": {"name": "per allowed", **money},
            "Value #C": {"name": "per used", **money},
            "Value #D": {"name": "Documents left", "decimals": 0},
            "Value #E": {"name": "Ends in", "unit": "s", "decimals": 1},
        },
        sort="Plan",
        unit="locale",
    )


def _with_name(expression: str, by: tuple[str, ...]) -> str:
    """As `_named`, with the same labels for every question of a table."""
    return f"max by ({', '.join((*by, 'plan_name'))}) ({_named(expression)})"
