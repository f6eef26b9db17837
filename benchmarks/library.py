"""The client library serving the series of a page: `python -m benchmarks.library PORT PAGE POLLS`.

As many targets a second as POLLS says get new values, in a loop beside the server.
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
    """A line of a page."""

    name: str
    labels: dict[str, str]
    value: float


def series(page: str) -> Iterator[Series]:
    """The lines of the targets; no label's value of theirs has quotes."""
    for line in page.splitlines():
        if (found := _LINE.fullmatch(line)) and found[2].startswith("target="):
            yield Series(found[1], dict(_LABEL.findall(found[2])), float(found[3]))


class Held(NamedTuple):
    """What the library holds of a page: a gauge for each metric, and those of each target."""

    registry: CollectorRegistry
    targets: dict[str, list[Gauge]]


def held(page: str) -> Held:
    """The series of a page, with its values."""
    result = Held(CollectorRegistry(), {})
    gauges: dict[str, Gauge] = {}
    for name, labels, value in series(page):
        if name not in gauges:
            gauges[name] = Gauge(name, name, list(labels), registry=result.registry)
        gauge = gauges[name].labels(*labels.values())
        gauge.set(value)
        result.targets.setdefault(labels["target"], []).append(gauge)
    return result


def change(targets: Iterable[list[Gauge]], polls: int) -> None:
    """Give all gauges of so many targets a second another value, for ever."""
    turns = cycle(targets)
    while True:
        started = time.monotonic()
        for gauge in chain.from_iterable(islice(turns, polls)):
            gauge.inc()
        time.sleep(max(0.0, started + 1 - time.monotonic()))


def main(port: int, page: Path, polls: int) -> None:
    """Serve until ended."""
    registry, targets = held(page.read_text(encoding="utf-8"))
    start_http_server(port, "127.0.0.1", registry)
    change(list(targets.values()), polls)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
