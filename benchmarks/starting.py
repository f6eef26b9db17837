"""From the start of a program to its first page, beside the client library's smallest."""

from __future__ import annotations

import time
from compileall import compile_dir
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import exporter
from benchmarks import programs
from benchmarks.client import AS_PROMETHEUS_ASKS, Scraper

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from benchmarks.programs import Program

_ROUNDS: Final = 7


class Started(NamedTuple):
    """Median seconds to the first page, and MB of memory after it."""

    seconds: float
    memory: float


def started(folder: Path) -> dict[str, Started]:
    """Measure both programs in turns, both compiled, as pip leaves what it installs."""
    compile_dir(Path(exporter.__file__).parent, quiet=1)
    empty = folder / "empty"
    empty.write_text("", encoding="ascii")
    starts: dict[str, Callable[[], AbstractContextManager[Program]]] = {
        "docusage-exporter": lambda: programs.exporter(folder, 1, "http://127.0.0.1:9"),
        "prometheus_client": lambda: programs.library(empty),
    }
    found: dict[str, list[Started]] = {name: [] for name in starts}
    for _ in range(_ROUNDS):
        for name, start in starts.items():
            found[name].append(_started(start))
    return {name: Started(*map(median, zip(*runs, strict=True))) for name, runs in found.items()}


def _started(start: Callable[[], AbstractContextManager[Program]]) -> Started:
    begin = time.perf_counter()
    with start() as program:
        programs.wait_until_answered(program.port)
        seconds = time.perf_counter() - begin
        time.sleep(1)
        with Scraper(program.port, AS_PROMETHEUS_ASKS) as scraper:
            scraper.ask()
        return Started(seconds, program.memory)
