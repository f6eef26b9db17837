"""Affinda: who uses how many credits, how that changes, and whether the allowance bears it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import Row, dashboard, only_vendor, target_variable, variable
from grafana.generator.common import how_to_read
from grafana.generator.panels import BLUE, bargauge, hidden, link, query, stat, table, timeseries
from grafana.generator.queries import (
    TOP,
    WEEKS,
    end_of_day,
    label_set,
    max_by,
    or_identifier,
    others,
    top,
    with_label,
)

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_ORGANIZATION: Final = ("target", "organization")
_AXES: Final = {
    "organization": (),
    "workspace": ("workspace",),
    "document_type": ("document_type",),
}
_CHANGE: Final[Json] = {"unit": "percentunit", "decimals": 0}
_ONLY_THIS: Final = link(
    "Only this organization", "docusage-affinda", target="target", organization="organization"
)
_NONE: Final = "No Affinda organization is polled, or no exporter is up."
_NO_PARTS: Final = "Set `workspaces: all` (or `document_types: all`) for a target to see these."
_HOW_TO_READ: Final = """\
- **Days** are the vendor's, shown in UTC; the last bar is today so far, and a figure may still
  grow a day later. Bars for today, and for days at whose end no exporter ran, need the recording
  rules of `prometheus/rules` to be loaded.
- Charts show the ten with most use at the end of the chosen time, and the sum of all others.
- **Workspaces** and **document types** are counted independently by the vendor, and only where
  the exporter is configured to ask for them, so that they need not add up to the organization.
- **Unusual days** compares with the mean of the same weekday in up to four weeks before: 1 is
  usual."""


def board() -> Json:
    """The whole dashboard."""
    return dashboard(
        "Affinda",
        "Who uses how many credits, how that changes, and whether the allowance bears it.",
        [
            Row(4, _sums()),
            Row(8, [_comparison()]),
            Row(10, [_days("organization", "Organizations", _NONE)]),
            Row(10, [_days("workspace", "Workspaces", _NO_PARTS)]),
            Row(10, [_days("document_type", "Document types", _NO_PARTS)]),
            Row(9, [_against_allowance(), _unusual()]),
            Row(
                8,
                [
                    _changes() | {"w": 10},
                    _top("workspace", "Top workspaces") | {"w": 7},
                    _top("document_type", "Top document types") | {"w": 7},
                ],
            ),
            Row(7, [how_to_read(_HOW_TO_READ)], collapsed="How to read this"),
        ],
        since="now-30d",
        variables=[
            only_vendor("affinda"),
            target_variable('vendor="affinda"'),
            variable(
                "organization",
                "Organization",
                "label_values(affinda_usage_day_timestamp_seconds"
                '{job=~"$job", target=~"$target"}, organization)',
                allValue=".*",
            ),
        ],
    )


def _prefix(axis: str) -> str:
    return "affinda_credits" if axis == "organization" else f"affinda_{axis}_credits"


_CHOSEN: Final = 'organization=~"$organization"'


def _labels(axis: str) -> tuple[str, ...]:
    return (*_ORGANIZATION, *_AXES[axis])


def _credits(axis: str, window: str, *, over: str = "") -> str:
    """Credits of one axis in one window, for each organization or part of one."""
    return max_by(f"{_prefix(axis)}_{window}", *_labels(axis), matching=_CHOSEN, over=over)


def _named(expression: str, axis: str, over: str = "") -> str:
    """With the scope's name as a label, or its identifier where the name is unknown.

    With `over` as ` @ end()` a scope has one name over the whole of the chosen time.
    """
    name = f"{axis}_name"
    known = max_by(f"affinda_{axis}_info", *_labels(axis), name, over=over)
    return or_identifier(with_label(expression, name, known, *_labels(axis)), name, axis)


def _of_day(axis: str) -> str:
    """The credits of the day that begins at each point.

    By the figure that a day later holds what was posted late; for the current day, by the figure so
    far.
    """
    so_far = end_of_day(f"{_prefix(axis)}_daily", *_labels(axis), matching=_CHOSEN)
    return f"{_complete_day(axis)} or {so_far}"


def _complete_day(axis: str, days_before: int = 0) -> str:
    """The credits of a complete day, the one that begins at each point or so many days before."""
    metric = f"{_prefix(axis)}_previous_day"
    return end_of_day(metric, *_labels(axis), days=1 - days_before, matching=_CHOSEN)


def _sums() -> list[Json]:
    windows = [
        ("Today", "so far on the vendor's current day", "daily"),
        ("Yesterday", "on the last complete day", "previous_day"),
        ("7 days", "on the last 7 days, today included", "last_7_days"),
        ("Month", "in the calendar month so far", "month_to_date"),
        ("Year", "in the calendar year so far", "year_to_date"),
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
                noValue="none",
            )
            for title, words, window in windows
        ),
        stat(
            "vs last week",
            "Credits on the last complete day against the same weekday a week before.",
            query(change, instant=True),
            steps=BLUE,
            noValue="not in use",
            unit="percentunit",
            decimals=0,
        ),
    ]


def _days(axis: str, title: str, no_value: str) -> Json:
    keys = ", ".join(_labels(axis))
    ranking = _credits(axis, "last_30_days", over=" @ end()")
    day = _of_day(axis)
    return timeseries(
        title,
        "Credits per day (UTC) of the ten with most in the last 30 days, and of all others. The"
        " last bar is today so far.",
        query(
            _named(top(day, keys, ranking), axis, over=" @ end()"),
            f"{{{{{axis}_name}}}}",
            step="1d",
        ),
        query(others(day, keys, ranking), "others", step="1d"),
        stacked=True,
        ranked=True,
        unit="locale",
        decimals=0,
        noValue=no_value,
    )


def _of_top(expression: str) -> str:
    """Of the organizations with most use alone."""
    ranking = _credits("organization", "last_30_days", over=" @ end()")
    return top(expression, ", ".join(_ORGANIZATION), ranking)


def _against_allowance() -> Json:
    used, allowed = (
        max_by(
            f"affinda_credits_{figure}", *_ORGANIZATION, matching='organization=~"$organization"'
        )
        for figure in ("used", "allowed")
    )
    return timeseries(
        "Use against allowance",
        "Credits used since the period began, as a share of the allowance (the line).",
        query(
            _named(_of_top(f"({used}) / (({allowed}) > 0)"), "organization", " @ end()"),
            "{{organization_name}}",
        ),
        lines=[(None, "transparent"), (1, "red")],
        unit="percentunit",
        decimals=0,
        min=0,
        custom={"axisSoftMax": 1.1},
        noValue="Set `allowance` for a target to see this.",
    )


def _unusual() -> Json:
    weeks = " or ".join(
        label_set(_complete_day("organization", 7 * week), "week", str(week))
        for week in range(1, WEEKS + 1)
    )
    usual = f"avg by ({', '.join(_ORGANIZATION)}) ({weeks}) > 0"
    complete = _complete_day("organization")
    return timeseries(
        "Unusual days",
        "Credits of each complete day as a multiple of the mean of the same weekday in up to four"
        " weeks before: 1 is usual. The line is at 2.",
        query(
            _named(_of_top(f"({complete}) / ({usual})"), "organization", " @ end()"),
            "{{organization_name}}",
            step="1d",
        ),
        custom={"showPoints": "always", "pointSize": 6, "lineWidth": 1},
        lines=[(None, "transparent"), (2, "red")],
        noValue="At least a week of history is needed.",
        unit="none",
        decimals=1,
        min=0,
    )


def _comparison() -> Json:
    day = _credits("organization", "previous_day")
    columns: dict[str, Json] = {
        "organization_name": {
            "name": "Organization",
            "custom__width": 200,
            "links": [_ONLY_THIS],
        },
        "target": {"name": "Target", "custom__minWidth": 100},
        "Value #A": {"name": "Today"},
        "Value #B": {"name": "Yesterday"},
        "Value #C": {"name": "vs day", **_CHANGE},
        "Value #D": {"name": "vs week", **_CHANGE},
        "Value #E": {"name": "7 days"},
        "Value #F": {"name": "vs 7 days", **_CHANGE},
        "Value #G": {"name": "30 days"},
        "Value #H": {"name": "365 days"},
        "organization": hidden("organization"),
    }
    expressions = [
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
        "Comparison",
        "Credits, and their change: yesterday against the day before and against the same weekday,"
        " the last 7 days against the 7 before. A change against nothing is left empty.",
        *(query(_only_names(expression, "organization"), table=True) for expression in expressions),
        columns=columns,
        sort="7 days",
        descending=True,
        noValue=_NONE,
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
    expressions = [now, before, f"({now}) - ({before})", _change(now, before)]
    return table(
        "Change in a week",
        "Credits of each workspace on the last 7 days against the 7 days before.",
        *(query(_only_names(expression, "workspace"), table=True) for expression in expressions),
        columns={
            "workspace_name": {
                "name": "Workspace",
                "custom__width": 170,
                "links": [_ONLY_THIS],
            },
            "Value #A": {"name": "7 days"},
            "Value #B": {"name": "before"},
            "Value #C": {"name": "More"},
            "Value #D": {"name": "Change", **_CHANGE},
            "target": hidden("target"),
            "organization": hidden("organization"),
        },
        sort="More",
        descending=True,
        noValue=_NO_PARTS,
        unit="locale",
        decimals=0,
    )


def _top(axis: str, title: str) -> Json:
    return bargauge(
        title,
        "Credits on the last 30 days; the ten with the most.",
        query(
            f"sort_desc(topk({TOP}, {_named(_credits(axis, 'last_30_days'), axis)}))",
            f"{{{{{axis}_name}}}}",
            instant=True,
        ),
        steps=BLUE,
        unit="locale",
        decimals=0,
        min=0,
        noValue=_NO_PARTS,
    )
