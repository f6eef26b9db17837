"""One scrape a second while targets are polled: how long it takes, and how old the page is."""

from __future__ import annotations

import gzip
import re
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import programs
from benchmarks.client import AS_PROMETHEUS_ASKS, Scraper
from benchmarks.workload import no_other

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.programs import Program
    from benchmarks.workload import Interval

TARGETS: Final = 10_000
_INTERVAL: Final = 62  # seconds, about as long as the first round, so that polls follow evenly
_SETTLING: Final = 5  # seconds after the first round
_SCRAPES: Final = 20  # within one interval: nothing is due twice
_SLOW_SCRAPES: Final = 3
_POLLS: Final = re.compile(r"^docusage_target_polls_total\{.*\} (\d+)", re.MULTILINE)
_NEXT_POLL: Final = re.compile(
    r"^docusage_target_next_poll_timestamp_seconds\{.*\} (\S+)", re.MULTILINE
)
_LAST_POLL: Final = re.compile(
    r"^docusage_target_last_poll_timestamp_seconds\{.*\} (\S+)", re.MULTILINE
)


class Scrape(NamedTuple):
    """A scrape: when it began (Unix seconds), how long it took, and the page."""

    at: float
    seconds: float
    page: str

    @property
    def polls(self) -> int:
        """Polls so far."""
        return sum(map(int, _POLLS.findall(self.page)))

    def due(self, until: float) -> int:
        """Targets whose next poll is due before `until`, Unix seconds; or has been for a while."""
        return sum(float(moment) < until for moment in _NEXT_POLL.findall(self.page))

    @property
    def behind(self) -> float:
        """Seconds since the newest poll that the page knows."""
        return self.at - max(map(float, _LAST_POLL.findall(self.page)))


class Loaded(NamedTuple):
    """Scrapes of a program under a load: polls due and done a second, and seconds."""

    program: str
    due: float
    typical: float
    longest: float
    done: float | None = None
    behind: float | None = None


def _of_four_fifths(number: int) -> str | None:
    """A day; the others have the usual interval."""
    return "1d" if number % 5 else None


def loaded(folder: Path) -> Iterator[Loaded]:
    """Measure with 161 polls a second, of all targets, then with 32, of a fifth.

    Between these the client library, with the same series and as many changes a second.
    """
    with _running(folder, no_other) as ours:
        yield _measured(ours)
        with Scraper(ours.port, AS_PROMETHEUS_ASKS) as scraper:
            (folder / "page").write_bytes(gzip.decompress(scraper.ask().body))
    yield _measured_library(folder)
    with _running(folder, _of_four_fifths) as ours:
        yield _measured(ours)


@contextmanager
def _running(folder: Path, other: Interval) -> Iterator[Program]:
    with (
        programs.vendors(TARGETS) as url,
        programs.exporter(folder, TARGETS, url, f"{_INTERVAL}s", other) as ours,
    ):
        yield ours


def _measured_library(folder: Path) -> Loaded:
    due = TARGETS // _INTERVAL
    with programs.library(folder / "page", due) as library:
        programs.wait_until_answered(library.port)
        with Scraper(library.port, AS_PROMETHEUS_ASKS) as scraper:
            seconds = [scraper.ask().seconds for _ in range(_SLOW_SCRAPES)]
    return Loaded("prometheus_client", due, median(seconds), max(seconds))


def _measured(ours: Program) -> Loaded:
    """Look once every target has been polled, while polls follow evenly."""
    programs.wait_until_ready(ours)
    time.sleep(_SETTLING)
    scrapes = _scrapes(ours.port)
    first, last = scrapes[0], scrapes[-1]
    seconds = last.at - first.at
    return Loaded(
        "docusage-exporter",
        due=first.due(last.at) / seconds,
        done=(last.polls - first.polls) / seconds,
        typical=median(scrape.seconds for scrape in scrapes),
        longest=max(scrape.seconds for scrape in scrapes),
        behind=max(scrape.behind for scrape in scrapes),
    )


def _scrapes(port: int) -> list[Scrape]:
    """One scrape a second, read only afterwards."""
    replies = []
    with Scraper(port, AS_PROMETHEUS_ASKS) as scraper:
        for _ in range(_SCRAPES):
            at = time.time()
            replies.append((at, scraper.ask()))
            time.sleep(max(0.0, at + 1 - time.time()))
    return [
        Scrape(at, reply.seconds, gzip.decompress(reply.body).decode()) for at, reply in replies
    ]
