"""The overview: does any account need action, how much is left, when does it run out?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import Row, dashboard, target_variable, variable
from grafana.generator.panels import (
    BAD_FROM_ONE,
    LEFT,
    bargauge,
    query,
    stat,
    table,
    thresholds,
    timeseries,
    value_mappings,
)
from grafana.generator.queries import ALLOWANCE, PLAN, label_set, max_by

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_RATIO: Final = max_by("docusage_allowance_available_ratio", *ALLOWANCE)
_EXHAUSTION: Final = max_by("docusage_allowance_exhaustion_timestamp_seconds", *ALLOWANCE)
_END: Final = max_by("docusage_allowance_end_timestamp_seconds", *ALLOWANCE)
_BURN: Final = max_by("docusage_allowance_burn_per_day", *ALLOWANCE)
_WARNING: Final = max_by(
    "docusage_allowance_threshold_ratio", *ALLOWANCE, matching='severity="warning"'
)
_LOW: Final = f"{_RATIO} < {_WARNING}"
_EARLY: Final = f"({_EXHAUSTION} < {_END}) and ({_EXHAUSTION} > time())"
_NAME: Final = "{{target}}  {{account}} / {{allowance}}"
_DAY: Final = 86400


def board() -> Json:
    """The whole of it."""
    return dashboard(
        "overview",
        "Does any account need action, how much of each allowance is left, when does it run out?",
        [
            Row(4, _answers()),
            Row(9, [_left(), _at_the_end()]),
            Row(9, [_allowances()]),
            Row(7, [_month(), _cost()]),
            Row(9, [_history()]),
        ],
        since="now-30d",
        variables=[
            variable(
                "vendor",
                "Vendor",
                'label_values(docusage_target_up{job=~"$job"}, vendor)',
            ),
            target_variable('vendor=~"$vendor"'),
        ],
    )


def _answers() -> list[Json]:
    soon = f"({_EARLY}) and ({_EXHAUSTION} - time() < {14 * _DAY})"
    up = max_by("docusage_target_up", "target")
    age = f"time() - {max_by('docusage_target_last_success_timestamp_seconds', 'target')}"
    return [
        stat(
            "Need action?",
            "Those below the warning threshold of their target, and those that run out within two"
            " weeks and before their period ends.",
            query(f"count(({_LOW}) or ({soon})) or vector(0)", instant=True),
            steps=BAD_FROM_ONE,
            colour="background",
            unit="none",
        ),
        stat(
            "Used up?",
            "Allowances of which nothing is left.",
            query(f"count({_RATIO} == 0) or vector(0)", instant=True),
            steps=BAD_FROM_ONE,
            colour="background",
            unit="none",
        ),
        stat(
            "Next to run out?",
            "The allowance that is used up first at its present rhythm of use, of those that do not"
            " last until their period ends.",
            query(f"bottomk(1, ({_EARLY}) - time())", "{{target}}", instant=True),
            steps=[(None, "red"), (7 * _DAY, "orange"), (30 * _DAY, "yellow")],
            text="value_and_name",
            unit="s",
            decimals=1,
            noValue="none",
        ),
        stat(
            "Next plan to end?",
            "The plan or pack whose end comes first; Affinda's periods renew themselves and are"
            " left out.",
            query(
                "bottomk(1, "
                + max_by(
                    "docusage_allowance_end_timestamp_seconds",
                    *ALLOWANCE,
                    matching='vendor!="affinda"',
                )
                + " - time())",
                "{{target}}",
                instant=True,
            ),
            steps=[(None, "red"), (2 * _DAY, "orange"), (7 * _DAY, "green")],
            text="value_and_name",
            unit="s",
            decimals=1,
            noValue="none",
        ),
        stat(
            "Targets that fail?",
            "Targets whose last poll failed; see the exporter's dashboard for the reasons.",
            query(f"count({up} == 0) or vector(0)", instant=True),
            steps=BAD_FROM_ONE,
            colour="background",
            unit="none",
        ),
        stat(
            "Oldest figures?",
            "Time since the last successful poll of the target for which it is longest, of those"
            " that ever succeeded.",
            query(f"max({age})", instant=True),
            steps=[(None, "green"), (2700, "orange"), (_DAY, "red")],
            unit="s",
            decimals=0,
        ),
    ]


def _left() -> Json:
    return bargauge(
        "How much of each allowance is left?",
        "The least first. Red is below 5 %, orange below 20 %; alerts follow each target's own"
        " thresholds.",
        query(f"sort({_RATIO})", _NAME, instant=True),
        steps=LEFT,
        unit="percentunit",
        min=0,
        max=1,
        decimals=0,
    )


def _at_the_end() -> Json:
    # What is left lasts until the exhaustion; at that pace the rest of the period takes more.
    pace = f"({_RATIO} > 0) / ({_EXHAUSTION} - time())"
    expected = f"1 - {_RATIO} + ({_END} - time()) * ({pace})"
    return bargauge(
        "How much will be used when each period ends?",
        "Use at the end of the period or plan, at the present rhythm, as a part of the allowance:"
        " above 100 % it runs out before. Allowances without an end are left out.",
        query(f"sort_desc({expected})", _NAME, instant=True),
        steps=[(None, "green"), (0.9, "orange"), (1, "red")],
        unit="percentunit",
        min=0,
        max=1.5,
        decimals=0,
    )


def _of_allowances(suffix: str) -> str:
    """A figure that the vendors report under names of their own, with an allowance's labels."""
    keys = ", ".join(ALLOWANCE)
    parts = [("affinda", f"affinda_credits_{suffix}", "$organization", "credits")]
    parts += [
        ("xtracta", f"xtracta_documents_{suffix}", "$group_id", "$plan_id"),
        ("xtracta", f"xtracta_pack_documents_{suffix}", "$group_id", "$pack_id"),
    ]
    found = []
    for vendor, name, account, allowance in parts:
        by = ["target", *(label[1:] for label in (account, allowance) if label[0] == "$")]
        figure = max_by(name, *by)
        for label, value in (("account", account), ("allowance", allowance), ("vendor", vendor)):
            figure = label_set(figure, label, value)
        found.append(f"max by ({keys}) ({figure})")
    return " or ".join(found)


def _allowances() -> Json:
    lasts = f"({_EXHAUSTION} >= bool {_END})"
    link = {
        "title": "Open ${__data.fields.Vendor}",
        "url": "/d/docusage-${__data.fields.Vendor}?var-target=${__data.fields.Target}"
        "&var-datasource=${datasource}&${__url_time_range}",
        "targetBlank": False,
    }
    time_left = {"unit": "s", "decimals": 1, "custom__width": 95}
    text = {"unit": "string", "custom__width": 95}
    return table(
        "What is left, of everything, and until when?",
        "Every allowance. A target's name leads to its vendor's dashboard. Each day takes the"
        " mean use of late; nothing is said of when an allowance runs out that is not in use.",
        query(_RATIO, table=True),
        query(_of_allowances("allowed"), table=True),
        query(_of_allowances("used"), table=True),
        query(_of_allowances("available"), table=True),
        query(_BURN, table=True),
        query(f"({_EXHAUSTION}) - time()", table=True),
        query(f"({_END}) - time()", table=True),
        query(lasts, table=True),
        columns={
            "target": {"name": "Target", "links": [link]},
            "vendor": {"name": "Vendor", **text, "custom__width": 75},
            "account": {"name": "Account", **text},
            "allowance": {"name": "Allowance", **text},
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
                "custom__width": 150,
            },
            "Value #F": {"name": "Runs out in", **time_left},
            "Value #G": {"name": "Ends in", **time_left},
            "Value #H": {
                "name": "Lasts?",
                "mappings": value_mappings(_0=("no", "red"), _1=("yes", "green")),
                "custom__cellOptions": {"type": "color-text"},
                "custom__width": 65,
            },
            "Value #B": {"name": "Allowed", "custom__width": 82},
            "Value #C": {"name": "Used", "custom__width": 82},
            "Value #D": {"name": "Available", "custom__width": 82},
            "Value #E": {"name": "Each day", "custom__width": 80},
        },
        sort="Left",
        unit="locale",
        decimals=0,
    )


def _month() -> Json:
    by = ("target", "organization")
    so_far = max_by("affinda_credits_month_to_date", *by)
    burn = label_set(
        max_by("docusage_allowance_burn_per_day", "target", "account"), "organization", "$account"
    )
    burn = f"max by ({', '.join(by)}) ({burn})"
    days_left = "scalar(days_in_month() - day_of_month() + 1 - hour() / 24)"
    allowed = max_by("affinda_credits_allowed", *by)
    expected = f"({so_far}) + ({burn}) * {days_left}"
    return table(
        "Where will this month end, against the allowance?",
        "Credits of each Affinda organization in the calendar month (UTC), and at its end if every"
        " day to come takes the mean of the last 28 days. The allowance is for its own period,"
        " which may be longer than a month.",
        query(so_far, table=True),
        query(expected, table=True),
        query(allowed, table=True),
        columns={
            "target": {"name": "Target"},
            "organization": {"name": "Organization"},
            "Value #A": {"name": "So far"},
            "Value #B": {"name": "By month's end"},
            "Value #C": {"name": "Allowance"},
        },
        sort="By month's end",
        descending=True,
        unit="locale",
        decimals=0,
    ) | {"w": 14}


def _cost() -> Json:
    used = max_by("affinda_credits_used", "target", "organization")
    price = max_by("affinda_credit_price", "target", "organization", "currency")
    plans = max_by("xtracta_plan_price", *PLAN, "currency")
    credits_ = f"{price} * on (target, organization) group_left () {used}"
    return table(
        "What does it cost, in each currency?",
        "Plans at the vendor's price for their whole period, and credits used in the current"
        " period at the configured price. Currencies are never converted or added up.",
        query(f"sum by (currency) ({plans})", table=True),
        query(f"sum by (currency) ({credits_})", table=True),
        columns={
            "currency": {"name": "Currency"},
            "Value #A": {"name": "Plans in force"},
            "Value #B": {"name": "Credits used"},
        },
        sort="Currency",
        unit="locale",
        decimals=2,
    ) | {"w": 10}


def _history() -> Json:
    return timeseries(
        "How did each allowance shrink?",
        "What was left over time; a renewal is a step up. The lines are at 20 % and at 5 %.",
        query(_RATIO, _NAME),
        lines=[(None, "red"), (0.05, "orange"), (0.2, "transparent")],
        unit="percentunit",
        min=0,
        max=1,
    )
