"""The page for people at `/`: where everything is, and how each target is doing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from exporter.status import words_of_allowance, words_of_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.snapshot import Entry

_LANDING: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>docusage-exporter</title></head>
<body>
<h1>docusage-exporter</h1>
<p>Prometheus exporter for document-AI usage: Affinda credits and Xtracta plan allowances.</p>
<ul>{links}</ul>
<table>
<thead><tr><th>Target</th><th>Vendor</th><th>State</th><th>What is left</th></tr></thead>
<tbody>{rows}</tbody>
</table>
</body>
</html>
"""


def landing(entries: Iterable[Entry], telemetry_path: str) -> str:
    """The page, as HTML. Its links are relative, so they hold behind a proxy that moves it."""
    links = {
        telemetry_path: "Metrics",
        "/api/v1/targets": "Targets (JSON)",
        "/config": "Configuration",
        "/-/healthy": "Healthy?",
        "/-/ready": "Ready?",
    }
    return _LANDING.format(
        links="".join(map(_link, links, links.values())), rows="".join(map(_row, entries))
    )


def _link(path: str, words: str) -> str:
    return f'<li><a href=".{html.escape(path)}">{words}</a></li>'


def _row(entry: Entry) -> str:
    left = "; ".join(map(words_of_allowance, entry.allowances))
    cells = (entry.target.name, entry.target.vendor, words_of_state(entry), left)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
