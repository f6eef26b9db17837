"""The alert rules as a PrometheusRule: `make docs` writes it, a test compares it."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
RULES: Final = ROOT / "prometheus" / "rules"
RESOURCE: Final = ROOT / "deploy" / "kubernetes" / "prometheusrule.yaml"
_HEAD: Final = """\
# Written by `make docs` from prometheus/rules: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: docusage-exporter
spec:
  groups:
"""


def prometheus_rule() -> str:
    """Every group of every file, in the order of the files' names."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.yml"))]
    return _HEAD + "".join(indent(text.partition("groups:\n")[2], "  ") for text in texts)


if __name__ == "__main__":  # pragma: no cover  a test runs what it runs
    RESOURCE.write_text(prometheus_rule(), encoding="utf-8")
