"""Time from the start of a program to its first page, compared with the client library."""

from __future__ import annotations

import time
from compileall import compile_dir
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import exporter
from benchmarks import programs
from benchmarks.client import AS_PROMETHEUS, Scraper

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from benchmarks.programs import Program

_ROUNDS: Final = 7


class Start(NamedTuple):
    """Median seconds to the first page, and resident memory after it in MB."""

    seconds: float
    memory: float


def measure(folder: Path) -> dict[str, Start]:
    """Measure both programs alternately, both compiled, as pip installs them."""
    compile_dir(Path(exporter.__file__).parent, quiet=1)
    empty = folder / "empty"
    empty.write_text("", encoding="ascii")
    starts: dict[str, Callable[[], AbstractContextManager[Program]]] = {
        "docusage-exporter": lambda: programs.exporter(folder, 1, "http://127.0.0.1:9"),
        "prometheus_client": lambda: programs.library(empty),
    }
    found: dict[str, list[Start]] = {name: [] for name in starts}
    for _ in range(_ROUNDS):
        for name, start in starts.items():
            found[name].append(_measure_start(start))
    return {name: Start(*map(median, zip(*runs, strict=True))) for name, runs in found.items()}


def _measure_start(start: Callable[[], AbstractContextManager[Program]]) -> Start:
    begin = time.perf_counter()
    with start() as program:
        programs.wait_for_page(program.port)
        seconds = time.perf_counter() - begin
        time.sleep(1)
        with Scraper(program.port, AS_PROMETHEUS) as scraper:
            scraper.scrape()
        return Start(seconds, program.memory)
