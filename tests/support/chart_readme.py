"""The chart's README: its table of values is written from the comments in values.yaml."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, NamedTuple

from yaml_text import parsed

CHART: Final = Path(__file__).parents[2] / "deploy" / "helm" / "docusage-exporter"
README: Final = CHART / "README.md"
_TABLE: Final = re.compile(r"(<!-- values -->\n).*?(<!-- /values -->)", re.DOTALL)
_KEY: Final = re.compile(r"( *)([A-Za-z]+):")


class Value(NamedTuple):
    """A documented value: its dotted path, default and meaning."""

    path: str
    default: str
    meaning: str


def values() -> list[Value]:
    """The values that have a comment that begins with `# --`, in their order."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    data = parsed(text)
    found, parents, words = list[Value](), list[str](), list[str]()
    for line in text.splitlines():
        if line.strip().startswith("#"):
            comment = line.strip().removeprefix("#").strip()
            words = (
                [comment.removeprefix("-- ")] if comment.startswith("-- ") else [*words, comment]
            )
        elif match := _KEY.match(line):
            parents[len(match[1]) // 2 :] = [match[2]]
            if words:
                found.append(Value(".".join(parents), _default(data, parents), " ".join(words)))
            words = []
    return found


def _default(data: object, path: list[str]) -> str:
    for key in path:
        assert isinstance(data, dict)
        data = data[key]
    return json.dumps(data, ensure_ascii=False)


def with_table(text: str) -> str:
    """A README whose table of values is up to date."""
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]
    rows += [f"| `{value.path}` | `{value.default}` | {value.meaning} |" for value in values()]
    return _TABLE.sub(lambda table: table[1] + "\n".join([*rows, ""]) + table[2], text)


if __name__ == "__main__":  # pragma: no cover  a test runs what it runs
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
