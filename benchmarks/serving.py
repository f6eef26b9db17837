"""Duration of scrapes while nothing changes, compared with a static file and other exporters."""

from __future__ import annotations

import gzip
import re
import time
from collections import defaultdict
from http import HTTPStatus
from http.client import HTTPConnection
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import programs
from benchmarks.client import AS_PROMETHEUS, PLAIN, Scraper

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.programs import Program

SIZES: Final = (10, 100, 1000, 10_000)
REQUESTS: Final = {"as Prometheus": AS_PROMETHEUS, "plain text": PLAIN}
EXPORTER: Final = "docusage-exporter"
_ROUNDS: Final = 5
_SECONDS: Final = 0.4  # for each program in a round
_TARGET: Final = re.compile(r'target="([^"]*)",?')


class ScrapeTimes(NamedTuple):
    """One kind of request at one size: bytes of the body, and median seconds by program."""

    targets: int
    request: str
    size: int
    seconds: dict[str, float]


class Measurements(NamedTuple):
    """Scrape times, and resident memory in MB by program and number of targets."""

    scrapes: list[ScrapeTimes]
    memory: dict[tuple[str, int], float]


def measure(folder: Path) -> Measurements:
    """Measure every size, and the other exporters at the largest."""
    result = Measurements([], {})
    for targets in SIZES:
        with (
            programs.vendors(targets) as url,
            programs.exporter(folder, targets, url) as program,
        ):
            programs.wait_until_ready(program)
            time.sleep(2)  # for the page to show the last polls; no others are due
            _body(program, AS_PROMETHEUS)
            result.memory[EXPORTER, targets] = program.memory
            _compare(folder, targets, program, result)
    return result


def _body(program: Program, headers: dict[str, str]) -> bytes:
    with Scraper(program.port, headers) as scraper:
        return scraper.scrape().body


def _compare(folder: Path, targets: int, program: Program, result: Measurements) -> None:
    compressed = _body(program, AS_PROMETHEUS)
    plain = _body(program, PLAIN)
    with programs.nginx(folder, plain, compressed) as nginx:
        for request, headers in REQUESTS.items():
            seconds = _measure_alternately({EXPORTER: program, "nginx": nginx}, headers)
            size = len(_body(nginx, headers))
            result.scrapes.append(ScrapeTimes(targets, request, size, seconds))
    if targets == max(SIZES):
        _compare_with_exporters(folder, gzip.decompress(compressed).decode(), result)


def _measure_alternately(known: dict[str, Program], headers: dict[str, str]) -> dict[str, float]:
    """The median of each program; they alternate so that noise affects all of them."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(_ROUNDS):
        for name, program in known.items():
            with Scraper(program.port, headers) as scraper:
                scraper.scrape()
                end = time.monotonic() + _SECONDS
                while time.monotonic() < end:
                    found[name].append(scraper.scrape().seconds)
    return {name: median(seconds) for name, seconds in found.items()}


def _compare_with_exporters(folder: Path, page: str, result: Measurements) -> None:
    """The same series in the pushgateway and in the client library, three scrapes each."""
    file = folder / "page"
    file.write_text(page, encoding="utf-8")
    with programs.pushgateway() as gateway:
        _push(gateway, page)
        _add("pushgateway", gateway, result)
    with programs.library(file) as library:
        programs.wait_for_page(library.port)
        _add("prometheus_client", library, result)


def _add(name: str, program: Program, result: Measurements) -> None:
    for scrapes in result.scrapes[-len(REQUESTS) :]:
        with Scraper(program.port, REQUESTS[scrapes.request]) as scraper:
            scrapes.seconds[name] = scraper.median_seconds(3)
    result.memory[name, max(SIZES)] = program.memory


def _push(gateway: Program, page: str) -> None:
    """Push each target's lines as a group."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for line in page.splitlines():
        if found := _TARGET.search(line):
            groups[found[1]].append(line.replace(found[0], "", 1))
    connection = HTTPConnection("127.0.0.1", gateway.port)
    for target, lines in groups.items():
        body = "\n".join([*lines, ""]).encode()
        connection.request("PUT", f"/metrics/job/usage/target/{target}", body)
        response = connection.getresponse()
        response.read()
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ValueError(f"the pushgateway returned {response.status}")
    connection.close()
