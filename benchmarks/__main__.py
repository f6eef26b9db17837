"""Measures everything, prints the tables and writes them to RESULTS.md."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks import connections, load, pages, polling, rendering, serving, starting
from benchmarks.report import Table, machine, milliseconds, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.serving import Measurements

_RESULTS: Final = Path(__file__).with_name("RESULTS.md")


def tables(folder: Path) -> Iterator[Table]:
    """Every table, as soon as it is measured."""
    yield _starting(folder)
    yield _polling(folder)
    yield _rendering()
    yield _pages()
    measurements = serving.measure(folder)
    yield _static_file(measurements)
    yield _exporters(measurements)
    yield _memory(measurements)
    yield _load(folder)
    yield _connections(folder)


def _starting(folder: Path) -> Table:
    found = starting.measure(folder)
    reference = found["prometheus_client"].seconds
    return Table(
        "Start",
        "Time from the start of the program to its first page. Goals: at most 3 times the client "
        "library's, at most 45 MB.",
        ("program", "first page, ms", "ratio", "memory, MB"),
        [
            (
                name,
                milliseconds(start.seconds),
                times(start.seconds / reference),
                f"{start.memory:.1f}",
            )
            for name, start in found.items()
        ],
    )


def _polling(folder: Path) -> Table:
    return Table(
        "Polls",
        "Polls per second of processor time, with 10 in flight, and the ratio to bare httpx; "
        "rightmost, the ratio of the exporter's rate with 200 in flight to that with 10. Goals: "
        "0.9 with unchanged responses, 0.7 with changed ones; 0.85.",
        ("responses", "httpx", "exporter", "ratio", "200 in flight"),
        [
            (
                responses,
                f"{rates.httpx:,.0f}",
                f"{rates.exporter:,.0f}",
                times(rates.exporter / rates.httpx),
                times(rates.exporter_with_many / rates.exporter),
            )
            for responses, rates in polling.measure(folder).items()
        ],
    )


def _rendering() -> Table:
    found = rendering.measure()
    return Table(
        "Rendering",
        f"The page of {rendering.TARGETS:,} targets after some of them changed, compared with "
        f"`generate_latest`, which takes {milliseconds(found.library)} ms whatever changed. Goal: "
        "20 times faster when all targets changed.",
        ("targets changed", "gzipped, ms", "times faster", "plain text, ms", "times faster"),
        [
            (
                f"{count:,}",
                milliseconds(found.gzipped[count]),
                times(found.library / found.gzipped[count]),
                milliseconds(found.plain[count]),
                times(found.library / found.plain[count]),
            )
            for count in rendering.CHANGES
        ],
    )


def _pages() -> Table:
    return Table(
        "Pages for people",
        f"Time to render, with {pages.DAYS} days of daily use. They are rendered on request only. "
        "Goal: a target's page in 20 ms.",
        ("page", "ms"),
        [(name, milliseconds(seconds)) for name, seconds in pages.measure().items()],
    )


def _static_file(measurements: Measurements) -> Table:
    return Table(
        "Scrapes while nothing changes, compared with a static file",
        "Median over a kept-alive connection. Goal: requests as Prometheus sends them take at most "
        "2.5 times as long as nginx at 10, 100 and 1,000 targets.",
        ("targets", "request", "bytes", "exporter, ms", "nginx, ms", "ratio"),
        [
            (
                f"{scrapes.targets:,}",
                scrapes.request,
                f"{scrapes.size:,}",
                milliseconds(scrapes.seconds[serving.EXPORTER]),
                milliseconds(scrapes.seconds["nginx"]),
                times(scrapes.seconds[serving.EXPORTER] / scrapes.seconds["nginx"]),
            )
            for scrapes in measurements.scrapes
        ],
    )


def _exporters(measurements: Measurements) -> Table:
    return Table(
        f"The same at {max(serving.SIZES):,} targets, compared with other exporters",
        "The others have the same series. Goal: 2,000 times faster than `start_http_server` for "
        "requests as Prometheus sends them.",
        ("program", "request", "median of 3, ms", "the exporter is faster by"),
        [
            (
                name,
                scrapes.request,
                milliseconds(seconds),
                times(seconds / scrapes.seconds[serving.EXPORTER]),
            )
            for scrapes in measurements.scrapes[-len(serving.REQUESTS) :]
            for name, seconds in scrapes.seconds.items()
            if name in {"pushgateway", "prometheus_client"}
        ],
    )


def _memory(measurements: Measurements) -> Table:
    fewest, most = serving.SIZES[0], serving.SIZES[-1]
    memory = measurements.memory
    growth = memory[serving.EXPORTER, most] - memory[serving.EXPORTER, fewest]
    return Table(
        "Memory",
        f"Resident, MB. From {fewest} to {most:,} targets the exporter grows by "
        f"{1000 * growth / (most - fewest):.1f} MB per 1,000 targets. Goal: 12.",
        ("program", "targets", "MB"),
        [(name, f"{targets:,}", f"{used:.1f}") for (name, targets), used in memory.items()],
    )


def _load(folder: Path) -> Table:
    return Table(
        f"One scrape a second while {load.TARGETS:,} targets are polled",
        "Requests as Prometheus sends them. Goals: median under 5 ms, longest under 50 ms, every "
        "poll done when due. The client library's gauges get as many new values, without polls.",
        ("program", "polls due per s", "done", "median, ms", "longest, ms", "page delay, s"),
        [
            (
                run.program,
                f"{run.due:.0f}",
                "-" if run.done is None else f"{run.done:.0f}",
                milliseconds(run.median),
                milliseconds(run.longest),
                "-" if run.delay is None else f"{run.delay:.2f}",
            )
            for run in load.measure(folder)
        ],
    )


def _connections(folder: Path) -> Table:
    requests, concurrent, idle = connections.REQUESTS, connections.CONCURRENT, connections.IDLE
    return Table(
        "Memory of connections",
        f"Resident, MB, of the demo with its 6 targets: at first, after {requests:,} requests on "
        f"separate connections, {concurrent} at a time, after as many again, and with {idle} idle "
        "connections. Goals: at most 120 MB, and no growth in the second round.",
        ("connections", "at first", "first round", "second round", f"{idle} idle"),
        [
            (name, *(f"{value:.1f}" for value in memory))
            for name, memory in connections.measure(folder).items()
        ],
    )


def main() -> None:
    """Measure, print and write."""
    start = time.monotonic()
    texts = [f"# Results of the last run\n\nMeasured on {datetime.now(UTC):%Y-%m-%d}:\n"]
    texts.append("\n".join(f"- {line}" for line in machine()) + "\n")
    with TemporaryDirectory() as folder:
        for table in tables(Path(folder)):
            texts.append(table.markdown())
            sys.stdout.write(f"{texts[-1]}\n")
            sys.stdout.flush()
    texts.append(f"The run took {(time.monotonic() - start) / 60:.1f} minutes.\n")
    _RESULTS.write_text("\n".join(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
