"""Writes the rules: `make rules`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus.generator import allowances, exporter, usage
from prometheus.generator.rules import Links, to_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RULES: Final = Path(__file__).parents[1] / "rules"
GROUPS: Final = (allowances.GROUP, exporter.GROUP, usage.GROUP)


def files(links: Links) -> Mapping[str, str]:
    """The content of every rule file, by its name."""
    return {
        f"{group.name.removeprefix('docusage-')}.yml": to_yaml(group, links) for group in GROUPS
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write them; the flags choose what the annotations link to, and where the files go."""
    default = Links()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runbook-url", default=default.runbook)
    parser.add_argument("--grafana-url", default=default.grafana)
    parser.add_argument("--output", type=Path, default=RULES)
    flags = parser.parse_args(arguments)
    links = Links(flags.runbook_url, flags.grafana_url.rstrip("/"))
    for name, text in files(links).items():
        (flags.output / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover  tests call main() itself
    main()
