"""What a probe prints of each capture in tests/data/captures; `make captures` writes it.

expected.txt    the table
expected.prom   the samples, without help and types; values have twelve digits, because sums of
                floats differ beyond that between versions of Python
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

from exporter.cli.main import run

CAPTURES: Final = Path(__file__).parents[1] / "data" / "captures"


def results(capture: Path) -> dict[str, str]:
    """The files with the results of a replay, by name."""
    lines = _printed(capture, "prometheus").splitlines()
    return {
        "expected.txt": _printed(capture, "table"),
        "expected.prom": "".join(_rounded(line) for line in lines if not line.startswith("#")),
    }


def _rounded(line: str) -> str:
    series, _, value = line.rpartition(" ")
    return f"{series} {float(value):.12g}\n"


def _printed(capture: Path, output_format: str) -> str:
    with redirect_stdout(io.StringIO()) as output:
        run(["probe", f"--replay={capture}", f"--format={output_format}", "--log.level=error"], {})
    return output.getvalue()


def write_results(captures: Path) -> None:
    """Write the results of every capture in a folder."""
    for capture in sorted(captures.iterdir()):
        for name, text in results(capture).items():
            (capture / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover  `make captures` calls it
    write_results(CAPTURES)
