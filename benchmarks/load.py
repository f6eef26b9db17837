"""One scrape a second while targets are polled: how long it takes, and how old the page is."""

from __future__ import annotations

import gzip
import re
import time
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import programs
from benchmarks.client import AS_PROMETHEUS_ASKS, Scraper

if TYPE_CHECKING:
    from pathlib import Path

TARGETS: Final = 10_000
_INTERVAL: Final = 62  # seconds: 161 polls a second
_SCRAPES: Final = 20
_POLLS: Final = re.compile(r"^docusage_polls_total\{.*\} (\d+)", re.MULTILINE)
_LAST_POLL: Final = re.compile(r"^docusage_last_poll_timestamp_seconds\{.*\} (\S+)", re.MULTILINE)


class Scrape(NamedTuple):
    """A scrape: when it began (Unix seconds), how long it took, and the page."""

    at: float
    seconds: float
    page: str

    @property
    def polls(self) -> int:
        """Polls so far."""
        return sum(map(int, _POLLS.findall(self.page)))

    @property
    def behind(self) -> float:
        """Seconds since the newest poll that the page knows."""
        return self.at - max(map(float, _LAST_POLL.findall(self.page)))


class Loaded(NamedTuple):
    """Scrapes under the load: polls due and done a second, and seconds."""

    due: float
    done: float
    typical: float
    longest: float
    behind: float


def loaded(folder: Path) -> Loaded:
    """Measure once every target has been polled and the second round is under way."""
    with (
        programs.vendors(TARGETS) as url,
        programs.exporter(folder, TARGETS, url, f"{_INTERVAL}s") as ours,
    ):
        programs.wait_until_answered(ours.port, "/-/ready")
        time.sleep(_INTERVAL / 4)
        scrapes = _scrapes(ours.port)
    first, last = scrapes[0], scrapes[-1]
    return Loaded(
        due=TARGETS / _INTERVAL,
        done=(last.polls - first.polls) / (last.at - first.at),
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
