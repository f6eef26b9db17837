"""Affinda: who uses how many credits, how that changes, and whether the allowance bears it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import Row, dashboard, target_variable, variable
from grafana.generator.panels import BLUE, bargauge, query, stat, table, timeseries
from grafana.generator.queries import WEEKS, label_set, max_by

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_ORGANIZATION: Final = ("target", "organization")
_AXES: Final = {
    "organization": (),
    "workspace": ("workspace",),
    "document_type": ("document_type",),
}
_CHANGE: Final[Json] = {"unit": "percentunit", "decimals": 0}


def board() -> Json:
    """The whole of it."""
    return dashboard(
        "Affinda",
        "Who uses how many credits, how that changes, and whether the allowance bears it.",
        [
            Row(4, _sums()),
            Row(9, [_days("organization", "Which organization used how many credits each day?")]),
            Row(
                9,
                [
                    _days("workspace", "Which workspace used them?"),
                    _days("document_type", "For which document types?"),
                ],
            ),
            Row(9, [_against_allowance(), _unusual()]),
            Row(6, [_comparison()]),
            Row(
                7,
                [
                    _changes() | {"w": 10},
                    _top("workspace", "Which workspaces use most?") | {"w": 7},
                    _top("document_type", "Which document types use most?") | {"w": 7},
                ],
            ),
        ],
        since="now-30d",
        variables=[
            target_variable('vendor="affinda"'),
            variable(
                "organization",
                "Organization",
                "label_values(affinda_usage_day_timestamp_seconds"
                '{job=~"$job", target=~"$target"}, organization)',
            ),
        ],
    )


def _credits(axis: str, window: str, *, over: str = "") -> str:
    """Credits of one axis in one window, an organization's scopes each on its own."""
    prefix = "affinda" if axis == "organization" else f"affinda_{axis}"
    labels = (*_ORGANIZATION, *_AXES[axis])
    chosen = 'organization=~"$organization"'
    of = "last_over_time({})" if over.startswith("[") else "{}"
    return max_by(f"{prefix}_credits_{window}", *labels, matching=chosen, over=over, of=of)


def _named(expression: str, axis: str) -> str:
    """With the scope's name as a label, or its identifier where the vendor's list is not known."""
    labels = (*_ORGANIZATION, *_AXES[axis])
    name = f"{axis}_name"
    known = max_by(f"affinda_{axis}_info", *labels, name)
    keys = ", ".join(labels)
    unnamed = label_set(expression, name, f"${axis}")
    return (
        f"(({expression}) * on ({keys}) group_left ({name}) {known})"
        f" or ({unnamed} unless on ({keys}) {known})"
    )


def _of_day(axis: str, days_before: int = 0) -> str:
    """The credits of the day that begins at each point, or of one so many days before it.

    Told by the last figure for the previous day that is known a day later, which holds what was
    posted late; for the current day, by the last figure so far.
    """
    complete = _credits(axis, "previous_day", over=_a_day_later(days_before))
    if days_before:
        return complete
    return f"{complete} or {_credits(axis, 'daily', over='[23h59m] offset -23h59m')}"


def _a_day_later(days_before: int) -> str:
    """The range that holds the day after, up to its last minute: at midnight begins another."""
    minutes = 1440 * days_before - 2 * 1440 + 1
    return f"[23h59m] offset {minutes}m"


def _sums() -> list[Json]:
    windows = [
        ("How many today?", "so far on the vendor's current day", "daily"),
        ("How many yesterday?", "on the last complete day", "previous_day"),
        ("How many in 7 days?", "on the last 7 days, today included", "last_7_days"),
        ("How many this month?", "in the calendar month so far", "month_to_date"),
        ("How many this year?", "in the calendar year so far", "year_to_date"),
    ]
    week_ago = f"sum({_credits('organization', 'previous_day', over=' offset 7d')}) > 0"
    change = f"sum({_credits('organization', 'previous_day')}) / ({week_ago}) - 1"
    return [
        *(
            stat(
                title,
                f"Credits of all chosen organizations {words}.",
                query(f"sum({_credits('organization', window)})", instant=True),
                steps=BLUE,
                unit="locale",
                decimals=0,
            )
            for title, words, window in windows
        ),
        stat(
            "More than a week ago?",
            "Credits on the last complete day against the same weekday a week before.",
            query(change, instant=True),
            steps=BLUE,
            noValue="not in use",
            unit="percentunit",
            decimals=0,
        ),
    ]


def _days(axis: str, title: str) -> Json:
    return timeseries(
        title,
        "Credits per day (UTC); the last bar is today so far."
        + (
            ""
            if axis == "organization"
            else " Usage per workspace and per document type is counted independently, and only"
            " for what the exporter is configured to ask for."
        ),
        query(_named(_of_day(axis), axis), f"{{{{{axis}_name}}}}", step="1d"),
        stacked=True,
        unit="locale",
        decimals=0,
    )


def _against_allowance() -> Json:
    used, allowed = (
        max_by(
            f"affinda_credits_{figure}", *_ORGANIZATION, matching='organization=~"$organization"'
        )
        for figure in ("used", "allowed")
    )
    return timeseries(
        "Does the use of each period stay below its allowance?",
        "Credits used since the period began, as a part of what was bought for it. The line is the"
        " allowance.",
        query(_named(f"({used}) / (({allowed}) > 0)", "organization"), "{{organization_name}}"),
        lines=[(None, "transparent"), (1, "red")],
        unit="percentunit",
        decimals=0,
        min=0,
        custom={"axisSoftMax": 1.1},
    )


def _unusual() -> Json:
    weeks = " or ".join(
        label_set(_of_day("organization", 7 * week), "week", str(week))
        for week in range(1, WEEKS + 1)
    )
    usual = f"avg by ({', '.join(_ORGANIZATION)}) ({weeks}) > 0"
    complete = _credits("organization", "previous_day", over=_a_day_later(0))
    return timeseries(
        "Which days were unusual?",
        "Credits of each complete day as a multiple of the mean of the same weekday in up to four"
        " weeks before: 1 is usual. The line is at 2.",
        query(
            _named(f"({complete}) / ({usual})", "organization"), "{{organization_name}}", step="1d"
        ),
        custom={"showPoints": "always", "pointSize": 6, "lineWidth": 1},
        lines=[(None, "transparent"), (2, "red")],
        unit="none",
        decimals=1,
        min=0,
    )


def _comparison() -> Json:
    day = _credits("organization", "previous_day")
    columns: dict[str, Json] = {
        "organization_name": {"name": "Organization", "custom__width": 200},
        "Value #A": {"name": "Today so far"},
        "Value #B": {"name": "Yesterday"},
        "Value #C": {"name": "vs. day before", **_CHANGE},
        "Value #D": {"name": "vs. week before", **_CHANGE},
        "Value #E": {"name": "Last 7 days"},
        "Value #F": {"name": "vs. 7 before", **_CHANGE},
        "Value #G": {"name": "Last 30 days"},
        "Value #H": {"name": "Last 365 days"},
    }
    questions = [
        _credits("organization", "daily"),
        day,
        _change(day, _credits("organization", "previous_day", over=" offset 1d")),
        _change(day, _credits("organization", "previous_day", over=" offset 7d")),
        _credits("organization", "last_7_days"),
        _change(
            _credits("organization", "last_7_days"),
            _credits("organization", "last_7_days", over=" offset 7d"),
        ),
        _credits("organization", "last_30_days"),
        _credits("organization", "last_365_days"),
    ]
    return table(
        "How does each organization compare with the day and the week before?",
        "Credits, and how they changed. A change against nothing is left empty.",
        *(query(_only_names(question, "organization"), table=True) for question in questions),
        columns=columns,
        sort="Last 7 days",
        descending=True,
        unit="locale",
        decimals=0,
    )


def _change(now: str, before: str) -> str:
    return f"({now}) / (({before}) > 0) - 1"


def _only_names(expression: str, axis: str) -> str:
    """As `_named`, with the same labels for every question of a table."""
    labels = (*_ORGANIZATION, *_AXES[axis], f"{axis}_name")
    return f"max by ({', '.join(labels)}) ({_named(expression, axis)})"


def _changes() -> Json:
    now = _credits("workspace", "last_7_days")
    before = _credits("workspace", "last_7_days", over=" offset 7d")
    questions = [now, before, f"({now}) - ({before})", _change(now, before)]
    return table(
        "Who changed most in a week?",
        "Credits of each workspace on the last 7 days against the 7 days before.",
        *(query(_only_names(question, "workspace"), table=True) for question in questions),
        columns={
            "workspace_name": {"name": "Workspace", "custom__width": 170},
            "Value #A": {"name": "7 days"},
            "Value #B": {"name": "before"},
            "Value #C": {"name": "More"},
            "Value #D": {"name": "Change", **_CHANGE},
        },
        sort="More",
        descending=True,
        unit="locale",
        decimals=0,
    )


def _top(axis: str, title: str) -> Json:
    return bargauge(
        title,
        "Credits on the last 30 days; the ten with the most.",
        query(
            f"sort_desc(topk(10, {_named(_credits(axis, 'last_30_days'), axis)}))",
            f"{{{{{axis}_name}}}}",
            instant=True,
        ),
        steps=BLUE,
        unit="locale",
        decimals=0,
        min=0,
    )
