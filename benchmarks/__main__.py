"""Measures everything, prints the tables and keeps them in RESULTS.md."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from math import log10
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks import load, polling, rebuilding, serving, starting, tls_memory
from benchmarks.report import Table, machine, milliseconds, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.serving import Served

_RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_OURS: Final = "docusage-exporter"


def tables(folder: Path) -> Iterator[Table]:
    """Every table, as soon as it is measured."""
    yield _starting(folder)
    yield _polling(folder)
    yield _rebuilding()
    served = serving.served(folder)
    yield _static(served)
    yield _exporters(served)
    yield _memory(served)
    yield _load(folder)
    yield _connections(folder)


def _starting(folder: Path) -> Table:
    found = starting.started(folder)
    ours, theirs = found.values()
    return Table(
        "Start",
        "From the start to the first page. To reach: at most 3 times the client library's start, "
        "at most 50 MB idle.",
        ("program", "first page, ms", "ratio", "memory, MB"),
        [
            (
                name,
                milliseconds(run.seconds),
                times(run.seconds / theirs.seconds),
                f"{run.memory:.1f}",
            )
            for name, run in zip(found, (ours, theirs), strict=True)
        ],
    )


def _polling(folder: Path) -> Table:
    return Table(
        "Polls",
        "Polls for each second of processor time, the whole path, 10 in flight, and how that "
        "compares with bare httpx. To reach: 0.9 unchanged, 0.7 changed; 0.85 of the rate with "
        "200 in flight.",
        ("replies", "bare httpx", "exporter", "ratio", "with 200 in flight"),
        [
            (
                replies,
                f"{rates.bare:,.0f}",
                f"{rates.ours:,.0f}",
                times(rates.ours / rates.bare),
                times(rates.ours_with_many / rates.ours),
            )
            for replies, rates in polling.polled(folder).items()
        ],
    )


def _rebuilding() -> Table:
    found = rebuilding.rebuilt()
    growth = log10(found.ours[rebuilding.TARGETS] / found.smaller)
    return Table(
        "Rebuilding the page",
        f"Of {rebuilding.TARGETS:,} targets, beside `generate_latest`, which takes "
        f"{milliseconds(found.theirs)} ms whatever changed. To reach: 500, 100, 20 times faster. "
        f"From 1,000 to 10,000 targets, all changed, the time grows with exponent {growth:.2f} "
        "(to reach: 1.2).",
        ("targets changed", "compressed, ms", "times faster", "plain text, ms", "times faster"),
        [
            (
                f"{count:,}",
                milliseconds(found.ours[count]),
                times(found.theirs / found.ours[count]),
                milliseconds(found.plain[count]),
                times(found.theirs / found.plain[count]),
            )
            for count in rebuilding.CHANGES
        ],
    )


def _static(served: Served) -> Table:
    return Table(
        "A scrape while nothing changed, beside a static file",
        "Median, over a kept connection. To reach: at most 1.5 times nginx at 10 targets, 0.8 "
        "times at 10,000; " + "; ".join(_growth(served)) + " (to reach: 1.05).",
        ("targets", "asked", "bytes", "exporter, ms", "nginx, ms", "ratio"),
        [
            (
                f"{cost.targets:,}",
                cost.way,
                f"{cost.size:,}",
                milliseconds(cost.seconds[_OURS]),
                milliseconds(cost.seconds["nginx"]),
                times(cost.seconds[_OURS] / cost.seconds["nginx"]),
            )
            for cost in served.costs
        ],
    )


def _growth(served: Served) -> Iterator[str]:
    """The exponents with which scrapes grow from 1,000 to 10,000 targets."""
    seconds = {(cost.targets, cost.way): cost.seconds[_OURS] for cost in served.costs}
    for way in serving.WAYS:
        yield f"{way} it grows with exponent {log10(seconds[10_000, way] / seconds[1000, way]):.2f}"


def _exporters(served: Served) -> Table:
    return Table(
        "The same at 10,000 targets, beside other exporters with the same series",
        "To reach: 400 and 60 times faster than the pushgateway, 2,000 and 200 times faster than "
        "`start_http_server`.",
        ("program", "asked", "median of 3, ms", "the exporter is faster by"),
        [
            (name, cost.way, milliseconds(seconds), times(seconds / cost.seconds[_OURS]))
            for cost in served.costs[-len(serving.WAYS) :]
            for name, seconds in cost.seconds.items()
            if name in {"pushgateway", "prometheus_client"}
        ],
    )


def _memory(served: Served) -> Table:
    fewest, most = serving.SIZES[0], serving.SIZES[-1]
    ours = served.memory[_OURS, most] - served.memory[_OURS, fewest]
    return Table(
        "Memory",
        f"Resident, MB. From {fewest} to {most:,} targets the exporter grows by "
        f"{1000 * ours / (most - fewest):.1f} MB a thousand. To reach: 7.5, and a quarter of the "
        "pushgateway's whole.",
        ("program", "targets", "MB"),
        [(name, f"{targets:,}", f"{held:.1f}") for (name, targets), held in served.memory.items()],
    )


def _load(folder: Path) -> Table:
    return Table(
        f"One scrape a second while {load.TARGETS:,} targets are polled",
        "As Prometheus asks. To reach: median under 5 ms, longest under 20 ms, every due poll "
        "done, the page at most one second behind. The client library's gauges get as many new "
        "values beside its server, without any polls.",
        ("program", "polls due a second", "done", "median, ms", "longest, ms", "behind at most, s"),
        [
            (
                run.program,
                f"{run.due:.0f}",
                "-" if run.done is None else f"{run.done:.0f}",
                milliseconds(run.typical),
                milliseconds(run.longest),
                "-" if run.behind is None else f"{run.behind:.2f}",
            )
            for run in load.loaded(folder)
        ],
    )


def _connections(folder: Path) -> Table:
    """The table of connections."""
    requests, at_a_time = tls_memory.REQUESTS, tls_memory.AT_A_TIME
    return Table(
        "Memory under connections",
        f"Resident, MB, of the demo with its 6 targets: idle, after {requests:,} requests on "
        f"connections of their own, {at_a_time} at a time, after as many again, and while "
        f"{tls_memory.HELD} connections only wait. To reach: at most 120 MB, and no growth in the "
        "second round.",
        ("connections", "idle", "first round", "second round", f"{tls_memory.HELD} held"),
        [
            (name, *(f"{value:.1f}" for value in memory))
            for name, memory in tls_memory.measured(folder).items()
        ],
    )


def main() -> None:
    """Measure, print, and keep."""
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
