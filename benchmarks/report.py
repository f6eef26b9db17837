"""Tables, and a description of the machine they were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Table(NamedTuple):
    """A table with its title and an explanatory note."""

    title: str
    note: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.headings, ["---"] * len(self.headings), *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"## {self.title}\n\n{self.note}\n\n{table}\n"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds, rounded for reading."""
    value = 1000 * seconds
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004  as rounded


def times(ratio: float) -> str:
    """A ratio, rounded for reading."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"  # noqa: PLR2004  as rounded


def machine() -> Iterator[str]:
    """Hardware and versions, one line each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("model name\t: ", 1)[1]
    yield f"{os.cpu_count()} cores ({processor.splitlines()[0]}), {memory:.0f} GB of memory"
    yield f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    names = ("httpx", "httpcore", "httptools", "prometheus-client", "pydantic")
    yield ", ".join(f"{name} {version(name)}" for name in names)
    yield _first_line("/usr/sbin/nginx", "-v")
    yield _first_line("/usr/bin/prometheus-pushgateway", "--version").split(" (")[0]


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  our own words
    return (done.stderr + done.stdout).splitlines()[0]
