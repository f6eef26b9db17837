"""Grafana's classic JSON model: a function for each kind of panel, and dicts for the rest."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Steps: TypeAlias = list[tuple[float | None, str]]
"""Colours, each from a value on; None comes first and means from the lowest."""

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GREEN: Final[Steps] = [(None, "green")]
BLUE: Final[Steps] = [(None, "blue")]
BAD_FROM_ONE: Final[Steps] = [(None, "green"), (1, "red")]
LEFT: Final[Steps] = [(None, "red"), (0.05, "orange"), (0.2, "green")]
FULL: Final[Steps] = [(None, "green"), (0.8, "orange"), (1, "red")]
_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def query(
    expression: str, legend: str = "", *, at_once: bool = False, table: bool = False, step: str = ""
) -> Json:
    """A question to Prometheus; its `refId` comes with its place in the panel.

    Args:
        expression: PromQL.
        legend: names its series, with `{{label}}`.
        at_once: for now alone, not over the dashboard's time.
        table: as a table's rows; always for now alone.
        step: the shortest time between two points, such as `1d`.
    """
    now = at_once or table
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
    words: str,
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
    return _panel("stat", title, words, queries, _defaults(steps, **field), options)


def bars(title: str, words: str, *queries: Json, steps: Steps, **field: Any) -> Json:  # noqa: ANN401  as above
    """A horizontal bar for each series, in the order of the answer."""
    options = {
        "reduceOptions": _LAST,
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "color",
        "namePlacement": "left",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "maxVizHeight": 36,
    }
    return _panel("bargauge", title, words, queries, _defaults(steps, **field), options)


def over_time(
    title: str,
    words: str,
    *queries: Json,
    stacked: bool = False,
    steps: Steps = GREEN,
    lines_at: Literal["off", "dashed"] = "off",
    custom: Json | None = None,
    overrides: tuple[Json, ...] = (),
    **field: Any,  # noqa: ANN401  as above
) -> Json:
    """Lines over time, or bars that are stacked."""
    defaults = _defaults(steps, **field) | {
        "color": {"mode": "palette-classic"},
        "custom": {
            "drawStyle": "bars" if stacked else "line",
            "lineInterpolation": "linear",
            "lineWidth": 1 if stacked else 2,
            "fillOpacity": 70 if stacked else 0,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": lines_at},
            **(custom or {}),
        },
    }
    options = {
        "legend": {
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
            "calcs": [],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, words, queries, defaults, options, overrides)


def table(
    title: str,
    words: str,
    *queries: Json,
    columns: dict[str, Json],
    sort: str = "",
    descending: bool = False,
    **field: Any,  # noqa: ANN401  as above
) -> Json:
    """Rows of instant answers, merged where their labels agree.

    Args:
        title: a question.
        words: what the rows are.
        queries: their values are the columns `Value #A`, `Value #B` and so on.
        columns: in order, by label or `Value #A`: `name`, and field options for that column.
        sort: the shown name of the column to sort by.
        descending: whether the highest comes first.
        field: options of every column.
    """
    names = {column: options["name"] for column, options in columns.items()}
    organize = {
        "excludeByName": {"Time": True},
        "includeByName": {column: True for column in columns},
        "indexByName": {column: index for index, column in enumerate(columns)},
        "renameByName": names,
    }
    overrides = tuple(
        override(options["name"], **{k: v for k, v in options.items() if k != "name"})
        for options in columns.values()
        if len(options) > 1
    )
    defaults = _defaults(GREEN, **field) | {
        "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False}
    }
    options: Json = {
        "cellHeight": "sm",
        "showHeader": True,
        "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
        "sortBy": [{"displayName": sort, "desc": descending}] if sort else [],
    }
    panel = _panel("table", title, words, queries, defaults, options, overrides)
    merge: list[Json] = [{"id": "merge", "options": {}}]
    return panel | {"transformations": [*merge, {"id": "organize", "options": organize}]}


def timeline(title: str, words: str, *queries: Json, steps: Steps, **field: Any) -> Json:  # noqa: ANN401  as above
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
    return _panel("state-timeline", title, words, queries, defaults, options)


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


def words_for(**of: tuple[str, str]) -> list[Json]:
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
    words: str,
    queries: tuple[Json, ...],
    defaults: Json,
    options: Json,
    overrides: tuple[Json, ...] = (),
) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": words,
        "datasource": DATASOURCE,
        "targets": [
            {"refId": chr(ord("A") + index), **asked} for index, asked in enumerate(queries)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
    }
