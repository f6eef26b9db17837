"""Xtracta: how full each plan is, whether it lasts until it ends, and what a document costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import Row, dashboard, only_vendor, target_variable, variable
from grafana.generator.common import how_to_read
from grafana.generator.panels import (
    DATASOURCE,
    FULL,
    LEFT,
    hidden,
    link,
    override,
    query,
    table,
    thresholds,
    timeseries,
)
from grafana.generator.queries import (
    PLAN,
    end_of_day,
    max_by,
    or_identifier,
    others,
    series,
    top,
    with_label,
)

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_DAY: Final = 86400
_PLAN: Final = 'plan_id=~"$plan"'
_KEYS: Final = ", ".join(PLAN)
_LEGEND: Final = "{{plan_name}}, {{group_name}}"
_ONLY_TARGET: Final = link("Only this target", "docusage-xtracta", target="target")
_NONE: Final = "No Xtracta plan is polled, or no exporter is up."
_HOW_TO_READ: Final = """\
- **Per used** divides the price by the documents used so far: a plan that is hardly used makes
  expensive documents. Prices are never converted.
- **Burn-down** (collapsed) has a chart for each chosen plan: below the dashed line, the plan
  runs out before it ends if it goes on like this.
- The day of a renewal is left out of **Documents per day**. Renewals can be shown as
  annotations at the top. The bar for today, and those of days at whose end no exporter ran, need
  the recording rules of `prometheus/rules` to be loaded."""


def board() -> Json:
    """The whole dashboard."""
    return dashboard(
        "Xtracta",
        "How full each plan is, whether it lasts until it ends, and what a document costs.",
        [
            Row(11, [_plans()]),
            Row(8, [_packs() | {"w": 12}, _resources() | {"w": 12}]),
            Row(10, [_per_day()]),
            Row(10, [_burn_down()], collapsed="Burn-down of each plan"),
            Row(7, [how_to_read(_HOW_TO_READ)], collapsed="How to read this"),
        ],
        since="now-60d",
        variables=[
            only_vendor("xtracta"),
            target_variable('vendor="xtracta"'),
            variable(
                "plan",
                "Plan",
                "query_result(max by (plan_id, plan_name) (last_over_time("
                'xtracta_plan_info{job=~"$job", target=~"$target"}[$__range])))',
                regex='/plan_id="(?<value>[^"]+)".*plan_name="(?<text>[^"]*)"/',
                allValue=".*",
            ),
        ],
        annotations={"list": [_renewals()]},
    )


def _figure(name: str, over: str = "") -> str:
    return max_by(f"xtracta_{name}", *PLAN, matching=_PLAN, over=over)


def _named(expression: str, over: str = "") -> str:
    """With the names of the plan and its group, or identifiers where names are unknown."""
    info = max_by("xtracta_plan_info", *PLAN, "plan_name", matching=_PLAN, over=over)
    named = or_identifier(info, "plan_name", "plan_id")
    groups = _groups("xtracta_plan_info", over)
    return (
        f"({expression}) * on ({_KEYS}) group_left (plan_name) {named}"
        f" * on ({', '.join(_GROUP)}) group_left (group_name) {groups}"
    )


_GROUP: Final = ("target", "group_id")


def _groups(metric: str, over: str = "") -> str:
    """1 for each group that the metric has, with its name."""
    info = max_by("xtracta_group_info", *_GROUP, "group_name", over=over)
    all_groups = max_by(metric, *_GROUP, over=over)
    found = f"({info} or on ({', '.join(_GROUP)}) {all_groups} * 0 + 1)"
    return or_identifier(found, "group_name", "group_id")


def _renewals() -> Json:
    start = series("xtracta_plan_start_timestamp_seconds", _PLAN, over="[$__interval]")
    return {
        "name": "Renewals",
        "datasource": DATASOURCE,
        "enable": False,
        "hide": False,
        "iconColor": "purple",
        "expr": f"max by (target, group_id, plan_id) (changes({start})) > 0",
        "step": "1h",
        "titleFormat": "Renewed",
        "textFormat": "plan {{plan_id}} of {{target}}",
    }


_DATE: Final[Json] = {"unit": "time:YYYY-MM-DD", "custom__width": 95}
_GAUGE: Final[Json] = {
    "unit": "percentunit",
    "min": 0,
    "max": 1,
    "decimals": 0,
    "custom__cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
    "custom__width": 120,
}


def _plans() -> Json:
    by = (*PLAN, "plan_name", "group_name")
    allowed, used = (_figure(f"documents_{name}") for name in ("allowed", "used"))
    keys = ("target", "account", "allowance")
    runs_out = max_by("docusage_allowance_exhaustion_timestamp_seconds", *keys)
    of_plan = (
        f'label_replace(label_replace({runs_out}, "group_id", "$1", "account", "(.+)"),'
        ' "plan_id", "$1", "allowance", "(.+)")'
    )
    price = f"max by ({_KEYS}) ({series('xtracta_plan_price', _PLAN)})"
    currency = max_by("xtracta_plan_price", *PLAN, "currency", matching=_PLAN)
    expressions = [
        f"{used} / ({allowed} > 0)",
        f"max by ({_KEYS}) ({of_plan}) * 1000 and on ({_KEYS}) {allowed}",
        f"{_figure('plan_expiry_timestamp_seconds')} * 1000",
        _figure("documents_available"),
        price,
        f"{price} / ({allowed} > 0)",
        f"{price} / ({used} > 0)",
    ]

    def row(expression: str) -> str:
        named = f"max by ({', '.join(by)}) ({_named(expression)})"
        labelled = with_label(named, "currency", f"({currency} * 0 + 1)", *PLAN)
        return f"max by ({', '.join((*by, 'currency'))}) ({labelled})"

    only_this = link("Only this plan", "docusage-xtracta", target="target", plan="plan_id")
    money = {"decimals": 3, "custom__width": 95}
    return table(
        "Plans",
        "Every plan: its fill, when it runs out at the current rate and when it ends, and what a"
        " document costs.",
        *(query(row(expression), table=True) for expression in expressions),
        columns={
            "plan_name": {"name": "Plan", "custom__minWidth": 110, "links": [only_this]},
            "group_name": {"name": "Group", "custom__minWidth": 140},
            "Value #A": {"name": "Used", "thresholds": thresholds(FULL), **_GAUGE},
            "Value #B": {"name": "Runs out", **_DATE},
            "Value #C": {"name": "Ends", **_DATE},
            "Value #D": {"name": "Left", "decimals": 0, "custom__width": 80},
            "Value #E": {"name": "Price", "decimals": 2, "custom__width": 90},
            "currency": {"name": "Currency", "custom__width": 80},
            "Value #F": {"name": "Per allowed", **money},
            "Value #G": {"name": "Per used", **money},
            "target": hidden("target"),
            "plan_id": hidden("plan_id"),
        },
        sort="Runs out",
        unit="locale",
        noValue=_NONE,
    )


def _packs() -> Json:
    by = ("target", "group_id", "pack_id")
    left, allowed = (
        max_by(f"xtracta_pack_documents_{name}", *by) for name in ("available", "allowed")
    )
    groups = _groups("xtracta_pack_documents_allowed")
    expressions = [
        f"max by ({', '.join((*by, 'group_name'))}) (({figure})"
        f" * on ({', '.join(_GROUP)}) group_left (group_name) {groups})"
        for figure in (f"{left} / ({allowed} > 0)", left, allowed)
    ]
    return table(
        "Packs",
        "Documents left in booster packs, the least first.",
        *(query(expression, table=True) for expression in expressions),
        columns={
            "group_name": {"name": "Group", "custom__minWidth": 140, "links": [_ONLY_TARGET]},
            "pack_id": {"name": "Pack", "unit": "string"},
            "Value #A": {"name": "Left", "thresholds": thresholds(LEFT), **_GAUGE},
            "Value #B": {"name": "Documents", "custom__width": 100},
            "Value #C": {"name": "of", "custom__width": 80},
            "target": hidden("target"),
        },
        sort="Left",
        unit="locale",
        decimals=0,
        noValue="No booster pack is in force.",
    )


def _resources() -> Json:
    by = ("target", "vendor", "account", "allowance")
    info = max_by("docusage_allowance_info", *by, "unit", matching='unit!="documents"')
    ratio = max_by("docusage_allowance_available_ratio", *by)
    return table(
        "Other resources",
        "Allowances that count something other than documents, such as pages.",
        query(f"{ratio} * on ({', '.join(by)}) group_left (unit) {info}", table=True),
        columns={
            "target": {"name": "Target", "links": [_ONLY_TARGET]},
            "account": {"name": "Group", "unit": "string", "custom__width": 80},
            "allowance": {"name": "Allowance", "unit": "string"},
            "unit": {"name": "Unit"},
            "Value": {"name": "Left", "thresholds": thresholds(LEFT), **_GAUGE},
        },
        sort="Left",
        unit="locale",
        noValue="Plans count documents only.",
    )


def _burn_down() -> Json:
    start, expiry = (_figure(f"plan_{end}_timestamp_seconds") for end in ("start", "expiry"))
    even = (
        f"{_figure('documents_allowed')} * clamp_min(({expiry} - time()) / ({expiry} - {start}), 0)"
    )
    panel = timeseries(
        "Plan ${plan:text}",
        "Documents left, and as a dashed line what would be left of an even use that ends with the"
        " plan: below the line the plan runs out early.",
        query(_figure("documents_available"), "left"),
        query(even, "even use"),
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
        noValue=_NONE,
    )
    return panel | {"repeat": "plan", "repeatDirection": "h", "maxPerRow": 3}


def _per_day() -> Json:
    used = _figure("documents_used")
    day = f"{end_of_day('xtracta_documents_used', *PLAN, matching=_PLAN)} - {used} >= 0"
    ranking = f"{_figure('documents_used', ' @ end()')}"
    return timeseries(
        "Documents per day",
        "Documents of the ten plans with most, and of all others, per day (UTC); the last bar is"
        " today so far, and the day of a renewal is left out.",
        query(_named(top(day, _KEYS, ranking), " @ end()"), _LEGEND, step="1d"),
        query(others(day, _KEYS, ranking), "others", step="1d"),
        stacked=True,
        ranked=True,
        unit="locale",
        decimals=0,
        noValue=_NONE,
    )
