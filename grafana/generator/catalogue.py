"""The four dashboards by their uid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator import affinda, exporter, overview, xtracta

if TYPE_CHECKING:
    from grafana.generator.panels import Json

BOARDS: Final[dict[str, Json]] = {
    board["uid"]: board
    for board in (overview.board(), affinda.board(), xtracta.board(), exporter.board())
}


def panel_id(uid: str, title: str) -> int:
    """The number of a panel.

    Raises:
        KeyError: if the dashboard has no panel with this title.
    """
    rows = BOARDS[uid]["panels"]
    panels = [panel for row in rows for panel in (row, *row.get("panels", ()))]
    return int({panel["title"]: panel["id"] for panel in panels}[title])
