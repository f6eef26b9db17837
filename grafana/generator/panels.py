"""Grafana's classic JSON model: a function for each kind of panel, and dicts for the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Steps: TypeAlias = Sequence[tuple[float | None, str]]
"""Colours, each from a value on; None comes first and means from the lowest."""

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GREEN: Final[Steps] = [(None, "green")]
BLUE: Final[Steps] = [(None, "blue")]
BAD_FROM_ONE: Final[Steps] = [(None, "text"), (0, "green"), (1, "red")]
"""What is unknown has the first colour, which is never green."""
LEFT: Final[Steps] = [(None, "text"), (0, "red"), (0.05, "orange"), (0.2, "green")]
FULL: Final[Steps] = [(None, "text"), (0, "green"), (0.8, "orange"), (1, "red")]
_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def query(
    expression: str, legend: str = "", *, instant: bool = False, table: bool = False, step: str = ""
) -> Json:
    """A question to Prometheus; its `refId` comes with its place in the panel.

    Args:
        expression: PromQL.
        legend: names its series, with `{{label}}`.
        instant: for now alone, not over the dashboard's time.
        table: as a table's rows; always for now alone.
        step: the shortest time between two points, such as `1d`.
    """
    now = instant or table
    return {
        "datasource": DATASOURCE,
        "expr": expression,
        "legendFormat": legend,
        "format": "table" if table else "time_series",
        "instant": now,
        "range": not now,
        **({"interval": step} if step else {}),
    }


def stat(
    title: str,
    description: str,
    *queries: Json,
    steps: Steps,
    colour: Literal["value", "background"] = "value",
    text: str = "auto",
    **field: Any,  # noqa: ANN401  Grafana's own field options
) -> Json:
    """Single values in large letters."""
    options = {
        "reduceOptions": _LAST,
        "colorMode": colour,
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": text,
        "wideLayout": False,
    }
    fields = {"defaults": _defaults(steps, **field), "overrides": []}
    return _panel("stat", title, description, queries, fieldConfig=fields, options=options)


def bargauge(title: str, description: str, *queries: Json, steps: Steps, **field: Any) -> Json:  # noqa: ANN401  as above
    """A horizontal bar for each series, in the order of the answer."""
    options = {
        "reduceOptions": _LAST,
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "color",
        "namePlacement": "left",
        "showUnfilled": True,
        "sizing": "auto",
        "text": {"titleSize": 13, "valueSize": 16},
        "minVizHeight": 16,
        "minVizWidth": 8,
        "maxVizHeight": 36,
    }
    fields = {"defaults": _defaults(steps, **field), "overrides": []}
    return _panel("bargauge", title, description, queries, fieldConfig=fields, options=options)


def timeseries(  # noqa: PLR0913  one for each option that differs
    title: str,
    description: str,
    *queries: Json,
    stacked: bool = False,
    ranked: bool = False,
    lines: Steps = (),
    overrides: tuple[Json, ...] = (),
    **field: Any,  # noqa: ANN401  as above
) -> Json:
    """Series over time: lines, or bars that are stacked; dashed `lines` across them.

    Those that are `ranked` have their legend as a table with the last values.
    """
    custom = {
        "drawStyle": "bars" if stacked else "line",
        "lineInterpolation": "linear",
        "lineWidth": 1 if stacked else 2,
        "fillOpacity": 70 if stacked else 0,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if lines else "off"},
        **field.get("custom", {}),
    }
    defaults = _defaults(lines or GREEN, **field)
    defaults |= {"color": {"mode": "palette-classic"}, "custom": custom}
    options = {
        "legend": {
            "displayMode": "table" if ranked else "list",
            "placement": "right" if ranked else "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull"] if ranked else [],
            **({"width": 260} if ranked else {}),
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    fields = {"defaults": defaults, "overrides": list(overrides)}
    return _panel("timeseries", title, description, queries, fieldConfig=fields, options=options)


def table(
    title: str,
    description: str,
    *queries: Json,
    columns: dict[str, Json],
    sort: str,
    descending: bool = False,
    **field: Any,  # noqa: ANN401  as above
) -> Json:
    """Rows of instant answers, merged where their labels agree.

    Args:
        title: a question.
        description: what the rows are.
        queries: their values are the columns `Value #A`, `Value #B` and so on.
        columns: in order, by label or `Value #A`: `name`, and field options for that column.
        sort: the shown name of the column to sort by.
        descending: whether the highest comes first.
        field: options of every column.
    """
    defaults = _defaults(GREEN, **field) | {
        "custom": {
            "align": "auto",
            "cellOptions": {"type": "auto"},
            "filterable": False,
            "minWidth": 70,
        }
    }
    return _panel(
        "table",
        title,
        description,
        queries,
        fieldConfig={"defaults": defaults, "overrides": _of_columns(columns)},
        options={
            "cellHeight": "sm",
            "showHeader": True,
            "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
            "sortBy": [{"displayName": sort, "desc": descending}],
        },
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": _in_order(columns)},
        ],
    )


def _in_order(columns: dict[str, Json]) -> Json:
    return {
        "excludeByName": {"Time": True},
        "includeByName": dict.fromkeys(columns, True),
        "indexByName": {column: index for index, column in enumerate(columns)},
        "renameByName": {column: options["name"] for column, options in columns.items()},
    }


def _of_columns(columns: dict[str, Json]) -> list[Json]:
    # `noValue` of the panel is for a table without rows, not for an empty cell.
    return [override(**{"noValue": "-", **options}) for options in columns.values()]


def hidden(label: str) -> Json:
    """A column that links use, and nobody sees."""
    return {
        "name": label,
        "custom__hidden": True,  # up to Grafana 12.1
        "custom__hideFrom": {"legend": False, "tooltip": False, "viz": True},
    }


def link(title: str, uid: str, **variables: str) -> Json:
    """A link from a cell to a dashboard, with the same time, job and data source.

    Args:
        title: of the link.
        uid: of the dashboard; `$label` stands for the row's label.
        variables: the row's label that each variable is set to.
    """
    board = re.sub(r"\$(\w+)", r"${__data.fields.\1}", uid)
    chosen = "&".join(f"var-{name}=${{__data.fields.{label}}}" for name, label in variables.items())
    return {
        "title": title,
        "url": f"/d/{board}?{chosen}&${{datasource:queryparam}}&${{job:queryparam}}"
        "&${__url_time_range}",
        "targetBlank": False,
    }


def state_timeline(
    title: str,
    description: str,
    *queries: Json,
    steps: Steps,
    **field: Any,  # noqa: ANN401  as above
) -> Json:
    """A lane for each series, coloured by its state."""
    defaults = _defaults(steps, **field) | {
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False},
    }
    options = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    fields = {"defaults": defaults, "overrides": []}
    return _panel(
        "state-timeline", title, description, queries, fieldConfig=fields, options=options
    )


def text(title: str, content: str) -> Json:
    """Markdown."""
    return {
        "type": "text",
        "title": title,
        "description": "How the panels of this dashboard are made.",
        "options": {"mode": "markdown", "content": content},
    }


def override(name: str, **properties: Any) -> Json:  # noqa: ANN401  Grafana's own field options
    """Field options of the series or column that is shown as `name`, or matches `/regex/`."""
    kind = "byRegexp" if name.startswith("/") else "byName"
    return {
        "matcher": {"id": kind, "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def thresholds(steps: Steps) -> Json:
    """Steps as Grafana writes them."""
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": colour} for value, colour in steps],
    }


def value_mappings(**of: tuple[str, str]) -> list[Json]:
    """Value mappings: `_0=("down", "red")` shows 0 so."""
    options = {
        value.removeprefix("_"): {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(of.items())
    }
    return [{"type": "value", "options": options}]


def _defaults(steps: Steps, **field: Any) -> Json:  # noqa: ANN401  Grafana's own field options
    return {"color": {"mode": "thresholds"}, "thresholds": thresholds(steps), **field}


def _panel(
    kind: str,
    title: str,
    description: str,
    queries: tuple[Json, ...],
    **more: Any,  # noqa: ANN401  fieldConfig, options and transformations, as Grafana has them
) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": [
            {"refId": chr(ord("A") + index), **asked} for index, asked in enumerate(queries)
        ],
        **more,
    }
