"""Writes what Grafana reads: `python -m grafana.generate`, or `make dashboards`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from grafana import affinda, alerting, exporter, overview, xtracta

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE: Final = Path(__file__).parent
_BOARDS: Final = (overview, affinda, xtracta, exporter)


def files() -> Mapping[Path, str]:
    """Every generated file with its content."""
    dashboards = [module.board() for module in _BOARDS]
    return {
        _HERE / "provisioning/alerting/docusage.yaml": alerting.provisioning(),
        **{
            _HERE / f"dashboards/{board['uid']}.json": json.dumps(board, indent=2) + "\n"
            for board in dashboards
        },
    }


def main(folder: Path = _HERE) -> None:
    """Write them all, under another folder if need be."""
    for path, text in files().items():
        place = folder / path.relative_to(_HERE)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover  tests call main() itself
    main()
