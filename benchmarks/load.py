"""Duration of scrapes, and delay of the page, while targets are polled."""

from __future__ import annotations

import gzip
import re
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import programs
from benchmarks.client import AS_PROMETHEUS, Scraper
from benchmarks.workload import common_interval

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.programs import Program
    from benchmarks.workload import OwnInterval

TARGETS: Final = 10_000
_INTERVAL: Final = 62  # seconds, about as long as the first round of polls, which spreads the next
_SETTLING: Final = 5  # seconds after the first round
_SCRAPES: Final = 20  # within one interval, so that no poll is due twice
_LIBRARY_SCRAPES: Final = 3
_POLLS: Final = re.compile(r"^docusage_target_polls_total\{.*\} (\d+)", re.MULTILINE)
_NEXT_POLL: Final = re.compile(
    r"^docusage_target_next_poll_timestamp_seconds\{.*\} (\S+)", re.MULTILINE
)
_LAST_POLL: Final = re.compile(
    r"^docusage_target_last_poll_timestamp_seconds\{.*\} (\S+)", re.MULTILINE
)


class Scrape(NamedTuple):
    """A scrape: its start in Unix seconds, its duration in seconds, and the page."""

    at: float
    seconds: float
    page: str

    @property
    def polls(self) -> int:
        """Polls so far."""
        return sum(map(int, _POLLS.findall(self.page)))

    def due(self, until: float) -> int:
        """Targets whose next poll is due before `until`, Unix seconds."""
        return sum(float(moment) < until for moment in _NEXT_POLL.findall(self.page))

    @property
    def delay(self) -> float:
        """Seconds since the most recent poll on the page."""
        return self.at - max(map(float, _LAST_POLL.findall(self.page)))


class ScrapesUnderLoad(NamedTuple):
    """Scrapes of a program: polls due and done per second, durations and delay in seconds."""

    program: str
    due: float
    median: float
    longest: float
    done: float | None = None
    delay: float | None = None


def _daily_for_four_fifths(number: int) -> str | None:
    return "1d" if number % 5 else None


def measure(folder: Path) -> Iterator[ScrapesUnderLoad]:
    """Measure while all targets are polled, 161 a second, and while a fifth is, 32 a second.

    In between measure the client library, with the same series and as many changes as all targets.
    """
    with _exporter(folder, common_interval) as program:
        yield _measure_exporter(program)
        with Scraper(program.port, AS_PROMETHEUS) as scraper:
            (folder / "page").write_bytes(gzip.decompress(scraper.scrape().body))
    yield _measure_library(folder)
    with _exporter(folder, _daily_for_four_fifths) as program:
        yield _measure_exporter(program)


@contextmanager
def _exporter(folder: Path, own_interval: OwnInterval) -> Iterator[Program]:
    with (
        programs.vendors(TARGETS) as url,
        programs.exporter(folder, TARGETS, url, f"{_INTERVAL}s", own_interval) as program,
    ):
        yield program


def _measure_library(folder: Path) -> ScrapesUnderLoad:
    due = TARGETS // _INTERVAL
    with programs.library(folder / "page", due) as library:
        programs.wait_for_page(library.port)
        with Scraper(library.port, AS_PROMETHEUS) as scraper:
            seconds = [scraper.scrape().seconds for _ in range(_LIBRARY_SCRAPES)]
    return ScrapesUnderLoad("prometheus_client", due, median(seconds), max(seconds))


def _measure_exporter(program: Program) -> ScrapesUnderLoad:
    programs.wait_until_ready(program)
    time.sleep(_SETTLING)
    scrapes = _scrape_every_second(program.port)
    first, last = scrapes[0], scrapes[-1]
    seconds = last.at - first.at
    return ScrapesUnderLoad(
        "docusage-exporter",
        due=first.due(last.at) / seconds,
        done=(last.polls - first.polls) / seconds,
        median=median(scrape.seconds for scrape in scrapes),
        longest=max(scrape.seconds for scrape in scrapes),
        delay=max(scrape.delay for scrape in scrapes),
    )


def _scrape_every_second(port: int) -> list[Scrape]:
    responses = []
    with Scraper(port, AS_PROMETHEUS) as scraper:
        for _ in range(_SCRAPES):
            at = time.time()
            responses.append((at, scraper.scrape()))
            time.sleep(max(0.0, at + 1 - time.time()))
    return [  # parsed only now: it would take processor time from the exporter
        Scrape(at, response.seconds, gzip.decompress(response.body).decode())
        for at, response in responses
    ]
