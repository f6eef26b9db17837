"""The README's tables that the code knows best: `make docs` writes them, a test compares them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from exporter.metrics.catalogue import METRICS

README: Final = Path(__file__).parent.parent.parent / "README.md"
_BLOCK: Final = re.compile(r"(<!-- metrics -->\n).*?(<!-- /metrics -->)", re.DOTALL)


def metrics_table() -> str:
    """Every metric with its labels and its help, in the catalogue's order."""
    rows = ["| metric | labels | meaning |", "| --- | --- | --- |"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {labels} | {metric.help} |")
    return "\n".join([*rows, ""])


def with_tables(text: str) -> str:
    """A README whose tables are up to date."""
    return _BLOCK.sub(lambda block: block[1] + metrics_table() + block[2], text)


if __name__ == "__main__":  # pragma: no cover  a test runs what it runs
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
