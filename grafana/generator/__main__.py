"""Writes the dashboards and the Grafana-managed alerts: `make dashboards`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from grafana.generator import alerting
from grafana.generator.catalogue import BOARDS

if TYPE_CHECKING:
    from collections.abc import Mapping

_GRAFANA: Final = Path(__file__).parent.parent


def files() -> Mapping[Path, str]:
    """The content of every generated file, by its path below `grafana/`."""
    return {
        Path("provisioning/alerting/docusage.yaml"): alerting.provisioning(),
        **{
            Path(f"dashboards/{uid}.json"): json.dumps(board, indent=2) + "\n"
            for uid, board in BOARDS.items()
        },
    }


def main(folder: Path = _GRAFANA) -> None:
    """Write every file below `folder`."""
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover  tests call main() itself
    main()
