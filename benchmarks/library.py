"""The client library serving the series of a page: `python -m benchmarks.library PORT PAGE`."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CollectorRegistry, Gauge, start_http_server

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def registry_of(page: str) -> CollectorRegistry:
    """A gauge for each metric, with the values of the page."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for name, labels, value in series(page):
        if name not in gauges:
            gauges[name] = Gauge(name, name, list(labels), registry=registry)
        gauges[name].labels(*labels.values()).set(value)
    return registry


if __name__ == "__main__":
    start_http_server(
        int(sys.argv[1]),
        "127.0.0.1",
        registry_of(Path(sys.argv[2]).read_text(encoding="utf-8")),
    )
    threading.Event().wait()
