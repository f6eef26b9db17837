"""A dashboard around its panels: place, variables, links between the four."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from grafana.generator.panels import DATASOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana.generator.panels import Json

_TAG: Final = "docusage"
_COLUMNS: Final = 24
_SCHEMA: Final = 39  # Grafana 10.4; later ones read it


class Row(NamedTuple):
    """Panels side by side, sharing the width evenly unless they say `w`.

    Args:
        height: of all of them, in units of 30 pixels.
        panels: from left to right.
        collapsed: title of the collapsed row that holds them; empty for none.
    """

    height: int
    panels: list[Json]
    collapsed: str = ""


def dashboard(
    name: str,
    description: str,
    rows: list[Row],
    *,
    since: str,
    variables: list[Json],
    **more: Any,  # noqa: ANN401  Grafana's own
) -> Json:
    """A whole dashboard, which `name` tells from the other three."""
    return {
        "uid": f"{_TAG}-{name.lower()}",
        "title": f"Document AI usage: {name}",
        "description": description,
        "tags": [_TAG],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": _SCHEMA,
        "timezone": "utc",
        "refresh": "5m",
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "weekStart": "monday",
        "links": [_LINKS],
        "annotations": {"list": []},
        "templating": {"list": [_SOURCE, _JOB, *variables]},
        "panels": list(_placed(rows)),
        **more,
    }


_LINKS: Final = {
    "type": "dashboards",
    "title": "Document AI usage",
    "tags": [_TAG],
    "asDropdown": True,
    "icon": "external link",
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "tooltip": "",
    "url": "",
}
_SOURCE: Final = {
    "type": "datasource",
    "name": "datasource",
    "label": "Data source",
    "query": "prometheus",
    "refresh": 1,
    "regex": "",
    "hide": 0,
    "includeAll": False,
    "multi": False,
    "options": [],
    "current": {},
}


def variable(name: str, label: str, values: str, **more: str) -> Json:
    """A choice of several values of a label, all of them to begin with."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": values, "refId": f"{name}-values"},
        "definition": values,
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "options": [],
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        **more,
    }


_JOB: Final = variable(
    "job", "Job", "label_values(docusage_exporter_build_info, job)", allValue=".+"
)


def target_variable(*matchers: str) -> Json:
    """The choice of targets."""
    chosen = ", ".join(['job=~"$job"', *matchers])
    values = f"label_values(docusage_target_up{{{chosen}}}, target)"
    return variable("target", "Target", values, allValue=".*")


VENDOR: Final = variable(
    "vendor", "Vendor", 'label_values(docusage_target_up{job=~"$job"}, vendor)', allValue=".*"
)


def only_vendor(name: str) -> Json:
    """A hidden variable for the dashboard of one vendor."""
    return {
        "type": "constant",
        "name": "vendor",
        "label": "Vendor",
        "query": name,
        "hide": 2,
        "skipUrlSync": True,
        "options": [],
        "current": {"selected": True, "text": name, "value": name},
    }


def panel_number(title: str) -> int:
    """The number by which links find a panel, whatever comes before it on its dashboard."""
    return crc32(title.encode()) % 9999 + 1


def _placed(rows: list[Row]) -> Iterator[Json]:
    """Panels with their places and numbers; a collapsed row holds its own."""
    top = 0
    for row in rows:
        if row.collapsed:
            panels = list(_side_by_side(row, top + 1))
            yield _collapsed_row(row.collapsed, top) | {"panels": panels}
            top += 1
        else:
            yield from _side_by_side(row, top)
            top += row.height


def _collapsed_row(title: str, top: int) -> Json:
    place = {"h": 1, "w": _COLUMNS, "x": 0, "y": top}
    number = panel_number(f"row {title}")
    return {"type": "row", "id": number, "title": title, "collapsed": True, "gridPos": place}


def _side_by_side(row: Row, top: int) -> Iterator[Json]:
    left = 0
    for panel in row.panels:
        width = panel.get("w", _COLUMNS // len(row.panels))
        place = {"h": row.height, "w": width, "x": left, "y": top}
        rest = {key: value for key, value in panel.items() if key != "w"}
        yield {"id": panel_number(panel["title"]), "gridPos": place, **rest}
        left += width
