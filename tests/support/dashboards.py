"""The committed dashboards, as tests look at them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Json: TypeAlias = dict[str, Any]

GRAFANA: Final = Path(__file__).parent.parent.parent / "grafana"
FILES: Final = sorted((GRAFANA / "dashboards").glob("*.json"))
RATE_INTERVAL: Final = "4m13s"  # stands for $__rate_interval, as nobody writes it by hand
_BUILT_IN: Final = {"__rate_interval": RATE_INTERVAL, "__interval": "7m", "__range": "3d"}


def boards() -> list[Json]:
    return [json.loads(path.read_text()) for path in FILES]


def panels(board: Json) -> Iterator[Json]:
    """Every panel, those in folded rows too, and no row."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def every_panel() -> list[tuple[Json, Json]]:
    """Every panel with queries, with its dashboard."""
    return [(board, panel) for board in boards() for panel in panels(board) if "targets" in panel]


def expanded(expression: str, board: Json, built_in: dict[str, str] = _BUILT_IN) -> str:
    """The expression as Grafana sends it with everything chosen; KeyError for another variable."""
    values = dict.fromkeys((one["name"] for one in board["templating"]["list"]), ".+") | built_in
    return re.sub(r"\$\{?([a-z_]\w*)(?::\w+)?\}?", lambda found: values[found[1]], expression)
