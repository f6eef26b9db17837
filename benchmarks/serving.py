"""What a scrape costs while nothing changes: beside a static file, and beside other exporters."""

from __future__ import annotations

import gzip
import re
import time
from collections import defaultdict
from http.client import HTTPConnection
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import programs
from benchmarks.client import AS_PROMETHEUS_ASKS, PLAIN, Scraper, typical

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.programs import Program

SIZES: Final = (10, 100, 1000, 10_000)
WAYS: Final = {"as Prometheus asks": AS_PROMETHEUS_ASKS, "plain": PLAIN}
_ROUNDS: Final = 5
_SECONDS: Final = 0.4  # for each program in a round
_TARGET: Final = re.compile(r'target="([^"]*)",?')


class Cost(NamedTuple):
    """What one way of asking costs at one size: bytes, and median seconds by program."""

    targets: int
    way: str
    size: int
    seconds: dict[str, float]


class Served(NamedTuple):
    """The costs of scrapes, and the resident memory in MB, by program and targets."""

    costs: list[Cost]
    memory: dict[tuple[str, int], float]


def served(folder: Path) -> Served:
    """Measure every size, and the other exporters at the largest."""
    result = Served([], {})
    for targets in SIZES:
        with (
            programs.vendors(targets) as url,
            programs.exporter(folder, targets, url) as ours,
        ):
            programs.wait_until_ready(ours)
            time.sleep(2)  # the last polls are on the page, and no others are due
            _ask(ours, AS_PROMETHEUS_ASKS)
            result.memory["docusage-exporter", targets] = ours.memory
            _compare(folder, targets, ours, result)
    return result


def _ask(program: Program, headers: dict[str, str]) -> bytes:
    with Scraper(program.port, headers) as scraper:
        return scraper.ask().body


def _compare(folder: Path, targets: int, ours: Program, result: Served) -> None:
    compressed = _ask(ours, AS_PROMETHEUS_ASKS)
    plain = _ask(ours, PLAIN)
    with programs.nginx(folder, plain, compressed) as static:
        for way, headers in WAYS.items():
            known = {"docusage-exporter": ours, "nginx": static}
            cost = Cost(targets, way, len(_ask(static, headers)), _in_turns(known, headers))
            result.costs.append(cost)
    if targets == max(SIZES):
        _compare_with_exporters(folder, gzip.decompress(compressed).decode(), result)


def _in_turns(known: dict[str, Program], headers: dict[str, str]) -> dict[str, float]:
    """The median of each program, asked in turns so that the machine's moods reach all."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(_ROUNDS):
        for name, program in known.items():
            with Scraper(program.port, headers) as scraper:
                scraper.ask()
                end = time.monotonic() + _SECONDS
                while time.monotonic() < end:
                    found[name].append(scraper.ask().seconds)
    return {name: median(seconds) for name, seconds in found.items()}


def _compare_with_exporters(folder: Path, page: str, result: Served) -> None:
    """The same series held by the pushgateway and by the client library, three scrapes each."""
    file = folder / "page"
    file.write_text(page, encoding="utf-8")
    with programs.pushgateway() as gateway:
        _push(gateway, page)
        _add("pushgateway", gateway, result)
    with programs.library(file) as library:
        programs.wait_until_answered(library.port)
        _add("prometheus_client", library, result)


def _add(name: str, program: Program, result: Served) -> None:
    for cost in result.costs[-len(WAYS) :]:
        with Scraper(program.port, WAYS[cost.way]) as scraper:
            cost.seconds[name] = typical(scraper, 3)
    result.memory[name, max(SIZES)] = program.memory


def _push(gateway: Program, page: str) -> None:
    """Each target's lines as a group of its own."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for line in page.splitlines():
        if found := _TARGET.search(line):
            groups[found[1]].append(line.replace(found[0], "", 1))
    connection = HTTPConnection("127.0.0.1", gateway.port)
    for target, lines in groups.items():
        body = "\n".join([*lines, ""]).encode()
        connection.request("PUT", f"/metrics/job/usage/target/{target}", body)
        reply = connection.getresponse()
        reply.read()
        if reply.status >= 300:  # noqa: PLR2004  all of 2xx is well
            raise ValueError(f"the pushgateway answered {reply.status}")
    connection.close()
