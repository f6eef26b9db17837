"""The client library serving the series of a page: `-m benchmarks.library PORT PAGE CHANGES`.

CHANGES targets per second get new values, in a loop next to the server.
"""

from __future__ import annotations

import re
import sys
import time
from itertools import chain, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CollectorRegistry, Gauge, start_http_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINE: Final = re.compile(r"(\w+)\{(.*)\} (\S+)")
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


class Series(NamedTuple):
    """A sample line of a page."""

    name: str
    labels: dict[str, str]
    value: float


def target_series(page: str) -> Iterator[Series]:
    """The lines of the targets, whose label values contain no quotes."""
    for line in page.splitlines():
        if (found := _LINE.fullmatch(line)) and found[2].startswith("target="):
            yield Series(found[1], dict(_LABEL.findall(found[2])), float(found[3]))


class Gauges(NamedTuple):
    """A registry with a gauge for each metric of a page, and its children by target."""

    registry: CollectorRegistry
    targets: dict[str, list[Gauge]]


def gauges_of(page: str) -> Gauges:
    """The series of a page, with its values."""
    result = Gauges(CollectorRegistry(), {})
    gauges: dict[str, Gauge] = {}
    for name, labels, value in target_series(page):
        if name not in gauges:
            gauges[name] = Gauge(name, name, list(labels), registry=result.registry)
        gauge = gauges[name].labels(*labels.values())
        gauge.set(value)
        result.targets.setdefault(labels["target"], []).append(gauge)
    return result


def change_values(targets: Iterable[list[Gauge]], per_second: int) -> None:
    """Change all gauges of that many targets per second, for ever."""
    rotation = cycle(targets)
    while True:
        started = time.monotonic()
        for gauge in chain.from_iterable(islice(rotation, per_second)):
            gauge.inc()
        time.sleep(max(0.0, started + 1 - time.monotonic()))


def main(port: int, page: Path, changes: int) -> None:
    """Serve until terminated."""
    registry, targets = gauges_of(page.read_text(encoding="utf-8"))
    start_http_server(port, "127.0.0.1", registry)
    change_values(list(targets.values()), changes)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
