"""The tables in docs/metrics.md: `make docs` writes them from the catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporter.metrics.catalogue import METRICS
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.model import MetricFamily

REFERENCE: Final = Path(__file__).parent.parent.parent / "docs" / "metrics.md"
_GENERATED: Final = re.compile(r"(<!-- begin generated -->\n).*(<!-- end generated -->)", re.DOTALL)
_SECTIONS: Final = {
    "Allowances": "docusage_allowance_",
    "Targets": "docusage_target_",
    "Exporter": "docusage_exporter_",
}


def tables() -> str:
    """A section with a table for each group of metrics, in the catalogue's order."""
    vendors = {name.capitalize(): vendor.metrics for name, vendor in VENDORS.items()}
    own = {
        title: [metric for metric in METRICS if metric.name.startswith(prefix)]
        for title, prefix in _SECTIONS.items()
    }
    sections = (vendors | own).items()
    return "\n".join(line for title, metrics in sections for line in _section(title, metrics))


def _section(title: str, metrics: Iterable[MetricFamily]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| Metric | Type | Labels | Description |"
    yield "| --- | --- | --- | --- |"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
    yield ""


def with_tables(text: str) -> str:
    """The document with its tables up to date."""
    return _GENERATED.sub(lambda found: found[1] + tables() + "\n" + found[2], text)


if __name__ == "__main__":  # pragma: no cover  a test runs what it runs
    REFERENCE.write_text(with_tables(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
