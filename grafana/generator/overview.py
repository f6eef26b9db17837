"""The overview: which accounts need action, what is left, when it runs out, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import VENDOR, Row, dashboard, target_variable
from grafana.generator.common import (
    NO_DATA,
    POLLS_OF_TARGET,
    alerts_table,
    exporters_up,
    failing_targets,
    how_to_read,
    targets_down,
)
from grafana.generator.panels import (
    BAD_FROM_ONE,
    BLUE,
    LEFT,
    bargauge,
    hidden,
    link,
    query,
    stat,
    table,
    thresholds,
    timeseries,
    value_mappings,
)
from grafana.generator.queries import (
    ALLOWANCE,
    NAMES,
    PLAN,
    TOP,
    allowance,
    end_of_day,
    label_set,
    max_by,
    of_chosen_vendor,
    or_identifier,
    or_zero,
    others,
    priced,
    top,
    with_currency,
    with_label,
    with_names,
)

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_DAY: Final = 86400
_RATIO: Final = allowance("available_ratio")
_ALLOWED: Final = allowance("allowed")
_USED: Final = allowance("used")
_RUNS_OUT: Final = allowance("exhaustion_timestamp_seconds")
_ENDS: Final = allowance("end_timestamp_seconds")
_PROJECTED: Final = allowance("projected_used_ratio")
_EARLY: Final = (
    f"(({_RUNS_OUT} < {_ENDS}) or ({_RUNS_OUT} < time() + {14 * _DAY} unless {_ENDS}))"
    f" and {_RUNS_OUT} > time()"
)
_LEGEND: Final = "{{account_name}}, {{allowance_name}}"
_KEYS: Final = ", ".join(ALLOWANCE)
_NO_ALLOWANCE: Final = (
    "No allowance is known: no exporter is up, or no target has one"
    " (set `allowance` for Affinda targets)."
)
_HOW_TO_READ: Final = """\
- **Allowance**: what was purchased for a period: a plan, a pack, a prepayment, or the
  `allowance` in the exporter's configuration.
- **Runs out** is a forecast from the use of the last weeks, weekday by weekday. *Short by* is
  what will be missing when the period ends; *Lapses unused* is what will be left. Both are
  priced as the allowance itself was.
- **Cost** is never converted and never added up over currencies. Plans are shown per 30 days,
  so that a yearly and a quarterly one can be compared.
- A tile without a number has **no data**: no exporter runs, or nothing is configured. Only
  known figures are green.
- **Use per day**: the bar for today, and those of days at whose end no exporter ran, need the
  recording rules of `prometheus/rules` to be loaded; so do firing alerts.
- Times are UTC. Rows link to the vendor's dashboard."""


def board() -> Json:
    """The whole dashboard."""
    return dashboard(
        "overview",
        "Which accounts need action, what is left, when it runs out, and what it costs.",
        [
            Row(4, _tiles()),
            Row(11, [_allowances()]),
            Row(8, [alerts_table() | {"w": 14}, failing_targets() | {"w": 10}]),
            Row(8, [_short() | {"w": 12}, _lapses() | {"w": 12}]),
            Row(8, [_cost() | {"w": 14}, _month() | {"w": 10}]),
            Row(10, [_projected() | {"w": 9}, _per_day() | {"w": 15}]),
            Row(10, [_left_over_time()]),
            Row(8, [how_to_read(_HOW_TO_READ)], collapsed="How to read this"),
        ],
        since="now-30d",
        variables=[VENDOR, target_variable('vendor=~"$vendor"')],
    )


def _tiles() -> list[Json]:
    count: Json = {
        "steps": BAD_FROM_ONE,
        "colour": "background",
        "unit": "none",
        "noValue": NO_DATA,
    }
    next_out, next_end = (
        f"bottomk(1, {with_names(f'{moment} > time()')}) * 1000" for moment in (_RUNS_OUT, _ENDS)
    )
    date: Json = {
        "steps": BLUE,
        "text": "value_and_name",
        "unit": "time:YYYY-MM-DD",
        "noValue": "none known",
    }
    return [
        exporters_up(),
        targets_down(),
        stat(
            "Used up",
            "Allowances of which nothing is left.",
            query(or_zero(f"count({_RATIO} == 0 and {_ALLOWED} > 0)"), instant=True),
            **count,
        ),
        stat(
            "Run out early",
            "Allowances that will be used up before their period ends; without an end, within 14"
            " days.",
            query(or_zero(f"count({_EARLY})"), instant=True),
            **count,
        ),
        stat(
            "Next run-out",
            "The allowance that is used up first at the current rate, and the day (UTC).",
            query(next_out, _LEGEND, instant=True),
            **date,
        ),
        stat(
            "Next end",
            "The period, plan, pack or prepayment that ends first, and the day (UTC).",
            query(next_end, _LEGEND, instant=True),
            **date,
        ),
    ]


def _named(expression: str) -> str:
    """With names, and the same labels for every query of a table."""
    return f"max by ({', '.join((*ALLOWANCE, *NAMES))}) ({with_names(expression)})"


_NAME_COLUMNS: Final[Json] = {
    "account_name": {
        "name": "Account",
        "custom__minWidth": 130,
        "links": [link("The vendor's dashboard", "docusage-$vendor", target="target")],
    },
    "allowance_name": {"name": "Allowance", "custom__minWidth": 120},
}
_TARGET_COLUMNS: Final[Json] = {
    "target": {"name": "Target", "custom__minWidth": 100, "links": [POLLS_OF_TARGET]},
    "vendor": {"name": "Vendor", "custom__width": 75},
}
_NEVER: Final = 4102444800000  # milliseconds; the year 2100
_UNKNOWN: Final = _NEVER + 1
_DATE: Final[Json] = {"unit": "time:YYYY-MM-DD", "custom__width": 95}
_SHORT: Final = f"(({_PROJECTED} - 1) * {_ALLOWED} > 0)"
_UNUSED: Final = f"((1 - {_PROJECTED}) * {_ALLOWED} > 0)"


def _allowances() -> Json:
    up = max_by("docusage_target_up", "target", "vendor")
    without_figures = label_set(
        f"({up} == 0 unless on (target) {_RATIO})", "account_name", "$target"
    )
    runs_out = _named(f"{_RUNS_OUT} * 1000 or ({_RATIO} == 0) or {_RATIO} * 0 + {_NEVER}")
    polls = _named(f"{_RATIO} * 0 + on (target, vendor) group_left () {up}")
    expressions = [
        _named(_RATIO),
        f"{runs_out} or {without_figures} * 0 + {_UNKNOWN}",
        _named(f"{_ENDS} * 1000"),
        _named(_SHORT),
        _named(f"clamp_min({_ALLOWED} - {_USED}, 0)"),
        _named(_ALLOWED),
        _named(allowance("burn_per_day")),
        f"{polls} or {without_figures}",
    ]
    return table(
        "Allowances",
        "Every allowance, what runs out first at the top; failing targets without figures are last."
        " An account links to its vendor's dashboard, a target to its polls. Short by: what will be"
        " missing when the period ends, at the current rate.",
        *(query(expression, table=True) for expression in expressions),
        columns={
            **_NAME_COLUMNS,
            "Value #B": {
                "name": "Runs out",
                "mappings": value_mappings(
                    _0=("ran out", "red"),
                    **{
                        f"_{_NEVER}": ("not in use", "text"),
                        f"_{_UNKNOWN}": ("no figures", "orange"),
                    },
                ),
                **_DATE,
            },
            "Value #C": {"name": "Ends", **_DATE},
            "Value #A": {
                "name": "Left",
                "unit": "percentunit",
                "min": 0,
                "max": 1,
                "decimals": 0,
                "thresholds": thresholds(LEFT),
                "custom__cellOptions": {
                    "type": "gauge",
                    "mode": "basic",
                    "valueDisplayMode": "text",
                },
                "custom__width": 110,
            },
            "Value #D": {
                "name": "Short by",
                "custom__width": 80,
                "custom__cellOptions": {"type": "color-text"},
                "thresholds": thresholds([(None, "red")]),
            },
            "Value #E": {"name": "Remaining", "custom__width": 90},
            "Value #F": {"name": "Allowed", "custom__width": 85},
            "Value #G": {"name": "Per day", "custom__width": 75},
            "unit": {"name": "Unit", "custom__width": 95},
            "Value #H": {
                "name": "Polls",
                "mappings": value_mappings(_0=("failing", "red"), _1=("ok", "text")),
                "custom__cellOptions": {"type": "color-text"},
                "custom__width": 70,
            },
            **_TARGET_COLUMNS,
        },
        sort="Runs out",
        unit="locale",
        decimals=0,
        noValue=_NO_ALLOWANCE,
    )


def _projected() -> Json:
    return bargauge(
        "Projected use",
        "Use at the end of each period at the current rate, as a share of the allowance; the ten"
        " highest. Above 100 % it runs out before.",
        query(f"sort_desc(topk({TOP}, {with_names(_PROJECTED)}))", _LEGEND, instant=True),
        steps=[(None, "text"), (0, "green"), (0.9, "orange"), (1, "red")],
        unit="percentunit",
        min=0,
        max=1.5,
        decimals=0,
        noValue="No allowance has an end and a forecast.",
    )


def _short() -> Json:
    return _at_the_end(
        "Short",
        "What will be missing when the period ends at the current rate, and what it costs at the"
        " allowance's own price per credit or document.",
        _SHORT,
        f"{_RUNS_OUT} * 1000",
        amount="Missing",
        money="Costs",
        moment="Runs out",
        noValue="Nothing is known to fall short: all forecasts fit, or no exporter is up.",
    )


def _lapses() -> Json:
    return _at_the_end(
        "Lapses unused",
        "What will be left when the period ends at the current rate, and what was paid for it.",
        _UNUSED,
        f"{_ENDS} * 1000",
        amount="Unused",
        money="Worth",
        moment="Ends",
        noValue="Nothing is known to lapse, or no exporter is up.",
    )


def _at_the_end(  # noqa: PLR0913  what differs between two tables
    title: str,
    description: str,
    figure: str,
    when: str,
    *,
    amount: str,
    money: str,
    moment: str,
    noValue: str,  # noqa: N803  Grafana's own
) -> Json:
    """An amount of each allowance at the end of its period, with its price."""
    labels = ", ".join((*ALLOWANCE, *NAMES, "currency"))

    def row(expression: str) -> str:
        return f"max by ({labels}) ({with_currency(with_names(expression))})"

    return table(
        title,
        description,
        query(row(figure), table=True),
        query(row(priced(figure)), table=True),
        query(row(f"{when} and {figure}"), table=True),
        columns={
            "account_name": _NAME_COLUMNS["account_name"],
            "Value #A": {"name": amount, "custom__width": 75},
            "unit": {"name": "Unit", "custom__width": 90},
            "Value #B": {"name": money, "decimals": 2, "custom__width": 80},
            "currency": {"name": "Currency", "custom__width": 75},
            "Value #C": {"name": moment, **_DATE},
            "allowance_name": _NAME_COLUMNS["allowance_name"],
            "target": hidden("target"),
            "vendor": hidden("vendor"),
        },
        sort=moment,
        unit="locale",
        decimals=0,
        noValue=noValue,
    )


def _cost() -> Json:
    price = max_by("affinda_credit_price", "target", "organization", "currency")
    so_far, expected = _credits_of_month()
    of_month, forecast = (
        f"{price} * on (target, organization) group_left () ({figure})"
        for figure in (so_far, expected)
    )
    start, expiry = (
        max_by(f"xtracta_plan_{end}_timestamp_seconds", *PLAN) for end in ("start", "expiry")
    )
    plans = of_chosen_vendor(max_by("xtracta_plan_price", *PLAN, "currency"))
    days = f"(({expiry} - {start}) / {_DAY} > 0)"
    per_month = f"{plans} / on ({', '.join(PLAN)}) group_left () {days} * 30"
    packs = of_chosen_vendor(
        max_by("xtracta_pack_price", "target", "group_id", "pack_id", "currency")
    )
    columns = {
        "Plans": per_month,
        "Credits": of_month,
        "Forecast": forecast,
        "Packs": packs,
        "Short": priced(_SHORT),
        "Lapses": priced(_UNUSED),
    }
    return table(
        "Cost",
        "Per currency: plans for 30 days, credits of this calendar month so far, their forecast for"
        " the whole month, packs in force, which are paid once, what is short and what lapses when"
        " periods end. Never converted.",
        *(query(f"sum by (currency) ({money})", table=True) for money in columns.values()),
        columns={
            "currency": {"name": "Currency", "custom__width": 85},
            **{f"Value #{chr(65 + index)}": {"name": name} for index, name in enumerate(columns)},
        },
        sort="Currency",
        unit="locale",
        decimals=2,
        noValue="No price is known: no exporter is up, or no target has one"
        " (set `price_per_credit` and `currency` for Affinda targets).",
    )


def _credits_of_month() -> tuple[str, str]:
    """Credits of each organization in the calendar month: so far, and by its end."""
    by = ("target", "organization")
    so_far = of_chosen_vendor(max_by("affinda_credits_month_to_date", *by))
    rate = f"{max_by('affinda_credits_last_30_days', *by)} / 30"
    days_left = "scalar(days_in_month() - day_of_month() + 1 - hour() / 24)"
    return so_far, f"{so_far} + {rate} * {days_left}"


def _month() -> Json:
    keys = ("target", "organization")
    name = "organization_name"
    info = max_by("affinda_organization_info", *keys, name)

    def named(expression: str) -> str:
        labelled = or_identifier(with_label(expression, name, info, *keys), name, "organization")
        return f"max by ({', '.join((*keys, name))}) ({labelled})"

    return table(
        "Month",
        "Credits of each Affinda organization in this calendar month (UTC): so far, and by its end"
        " if the days to come take the mean of the last 30.",
        *(query(named(figure), table=True) for figure in _credits_of_month()),
        columns={
            "organization_name": {
                "name": "Organization",
                "links": [
                    link(
                        "This organization",
                        "docusage-affinda",
                        target="target",
                        organization="organization",
                    )
                ],
            },
            "Value #A": {"name": "So far", "custom__width": 110},
            "Value #B": {"name": "By month's end", "custom__width": 130},
            "target": hidden("target"),
            "organization": hidden("organization"),
        },
        sort="By month's end",
        descending=True,
        unit="locale",
        decimals=0,
        noValue="No Affinda organization is polled, or no exporter is up.",
    )


def _per_day() -> Json:
    used = allowance("used")
    day = f"{end_of_day('docusage_allowance_used', *ALLOWANCE)} - {used}"
    use = with_names(f"({day}) >= 0", over=" @ end()")
    ranking = allowance("burn_per_day", over=" @ end()")
    return timeseries(
        "Use per day",
        "Use per day (UTC) of the ten allowances with the highest rate, and of all others, in their"
        " own units. The last bar is today so far; days of a renewal are left out.",
        query(top(use, _KEYS, ranking), _LEGEND, step="1d"),
        query(others(use, _KEYS, ranking), "others", step="1d"),
        stacked=True,
        ranked=True,
        unit="locale",
        decimals=0,
        noValue="No use is known: it needs an allowance and a day of history.",
    )


def _left_over_time() -> Json:
    lowest = f"bottomk({TOP}, {allowance('available_ratio', over=' @ end()')})"
    return timeseries(
        "Left over time",
        "The ten allowances of which least is left; a renewal is a step up. The lines are at 20 %"
        " and at 5 %.",
        query(
            f"{with_names(_RATIO, over=' @ end()')} and on ({_KEYS}) {lowest}",
            _LEGEND,
        ),
        ranked=True,
        lines=[(None, "red"), (0.05, "orange"), (0.2, "transparent")],
        unit="percentunit",
        min=0,
        max=1,
        decimals=0,
        noValue=_NO_ALLOWANCE,
    )
