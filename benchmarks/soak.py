"""Whether a long storm of faults leaves a trace in the exporter: `python -m benchmarks.soak`.

Four storms, `SOAK_SECONDS` (120) together: half of the targets fail in changing ways, clients
scrape, dawdle and stick, reloads add, change and remove targets. After each storm there is a calm:
every target has to come back with its new figure, and what the process holds is measured.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from benchmarks.client import PLAIN, Scraper
from benchmarks.crowd import Crowd
from benchmarks.programs import EXPORTER, Program, free_port, wait_until_answered
from benchmarks.report import Table
from benchmarks.storm import ACCOUNTS, STEP, is_affinda, is_faulty, key

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

_QUARTERS: Final = 4
_RELOAD_EVERY: Final = 2.0
_RECOVERY: Final = 30.0  # seconds until all targets are up again
_LONGEST_SCRAPE: Final = 2.0  # seconds, whatever other clients do
_STRAY: Final = 5  # descriptors and threads by which two calms may differ
_GROWTH: Final = 1.1  # of memory from the second calm to the last
_CLOSED: Final = "http://127.0.0.1:9"
_HEAD: Final = """\
poll: {interval: 1s, stale_after: 60s, max_concurrent: 200, requests_per_second: 1000}
targets:
"""
_COUNTER: Final = re.compile(
    r'^docusage_poll(s|_failures)_total(\{.*?(?:reason="(\w+)")?\}) (\d+)', re.MULTILINE
)
_UP: Final = re.compile(r"^docusage_target_up\{.*\} 1", re.MULTILINE)
_FIGURE: Final = re.compile(
    r'^(?:affinda_credits_daily|xtracta_documents_used)\{target="t(\d+)".*\} (\d+)', re.MULTILINE
)


class Quarter(NamedTuple):
    """Done up to the end of a storm, held in the calm after it, and seconds until all were up."""

    polls: int
    scrapes: int
    reloads: int
    descriptors: int
    threads: int
    memory: float
    recovery: float


class Vendors(NamedTuple):
    """The vendors' process: its base URL, the address of what breaks connections, its ear."""

    url: str
    breaker: str
    ear: IO[str]

    def tell(self, word: str) -> None:
        """Begin a `storm` or a `calm`."""
        self.ear.write(f"{word}\n")
        self.ear.flush()

    def configuration(self, turn: int | None) -> str:
        """All targets as they should be, or as the turn of a storm has them."""
        return _HEAD + "".join(
            _target(number, self.url if turn is None else self._aim(number, turn))
            for number in ACCOUNTS
            if turn is None or (number + turn) % 16
        )

    def _aim(self, number: int, turn: int) -> str:
        broken = (f"http://{self.breaker}", f"https://{self.breaker}", _CLOSED)
        aims = (self.url,) * 3 + broken
        return aims[(number // 2 + turn // 3) % len(aims)] if is_faulty(number) else self.url


def _target(number: int, url: str) -> str:
    own = f"organization: oRg{number}" if is_affinda(number) else f"groups: [{number}]"
    vendor = "affinda" if is_affinda(number) else "xtracta"
    common = f'name: t{number}, vendor: {vendor}, base_url: "{url}", api_key: {key(number)}'
    return f"  - {{{common}, {own}}}\n"


class Tally:
    """What was seen from outside. Counters of removed targets begin anew, these do not."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: set[str] = set()
        self._last: dict[str, int] = {}

    def read(self, page: str) -> None:
        """Add what was counted since the last page; a figure can be only the account's own."""
        seen = {found[1] + found[2]: (found[3], int(found[4])) for found in _COUNTER.finditer(page)}
        for series, (reason, value) in seen.items():
            before = self._last.get(series, 0)
            self.counts[reason or "polls"] += value - before if value >= before else value
        self._last = {series: value for series, (_, value) in seen.items()}
        for number, value in _figures(page).items():
            if value % STEP != number:
                self.wrong.add(f"t{number} showed {value}")


def _figures(page: str) -> dict[int, int]:
    return {int(number): int(value) for number, value in _FIGURE.findall(page)}


class Soak:
    """One exporter in storms and calms."""

    def __init__(self, program: Program, vendors: Vendors, file: Path) -> None:
        self.tally = Tally()
        self.crowd = Crowd(program.port)
        self.reloads: Counter[bool] = Counter()  # by whether they ended as they should
        self._program = program
        self._vendors = vendors
        self._file = file
        self._turns = count()
        self._calms = count(1)

    def quarter(self, seconds: float) -> Quarter:
        """A storm, and the calm after it."""
        self._vendors.tell("storm")
        with self.crowd.around(self._reload_often), Scraper(self._program.port, PLAIN) as scraper:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self.tally.read(scraper.ask().body.decode())
                time.sleep(0.5)
        recovery = self._calm()
        done = self.tally.counts["polls"], self.crowd.counts["scrapes"], self.reloads.total()
        return Quarter(*done, *self._held(), self._program.memory, recovery)

    def _calm(self) -> float:
        """Seconds until every target is up with its new figure."""
        self._vendors.tell("calm")
        expected = {
            number: base + number for base in [next(self._calms) * STEP] for number in ACCOUNTS
        }
        start = time.monotonic()
        self._reload(self._vendors.configuration(None), 200)
        with Scraper(self._program.port, PLAIN) as scraper:
            while (took := time.monotonic() - start) < _RECOVERY:
                page = scraper.ask().body.decode()
                self.tally.read(page)
                if len(_UP.findall(page)) == len(ACCOUNTS) and _figures(page) == expected:
                    return took
                time.sleep(0.2)
        return float("inf")

    def _held(self) -> tuple[int, int]:
        """Descriptors and threads: the fewest of some looks, since polls go on."""
        looks = []
        for _ in range(60):
            time.sleep(0.05)
            process = Path(f"/proc/{self._program.pid}")
            looks.append([len(list((process / kind).iterdir())) for kind in ("fd", "task")])
        descriptors, threads = map(min, zip(*looks, strict=True))
        return descriptors, threads

    def _reload_often(self, stop: threading.Event) -> None:
        """Every fifth configuration is a bad one; the others are read by signal and request."""
        while not stop.wait(_RELOAD_EVERY):
            turn = next(self._turns)
            if turn % 5 == 4:  # noqa: PLR2004  as said
                self._reload("targets: [", 500)
            else:
                self._reload(self._vendors.configuration(turn), 200 if turn % 2 else None)

    def _reload(self, text: str, expected: int | None) -> None:
        """Put a configuration in force, by a signal where no status is expected."""
        beside = self._file.with_suffix(".new")
        beside.write_text(text, encoding="ascii")
        beside.replace(self._file)
        if expected is None:
            os.kill(self._program.pid, signal.SIGHUP)
        self.reloads[expected in {None, self._asked_to_reload() if expected else None}] += 1

    def _asked_to_reload(self) -> int:
        connection = HTTPConnection("127.0.0.1", self._program.port, timeout=10)
        connection.request("POST", "/-/reload")
        status = connection.getresponse().status
        connection.close()
        return status


@contextmanager
def _vendors() -> Iterator[Vendors]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storm"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018  pipes were asked for
        url, breaker = process.stdout.readline().split()
        yield Vendors(url, breaker, process.stdin)
        process.stdin.close()


@contextmanager
def _exporter(file: Path) -> Iterator[tuple[subprocess.Popen[bytes], Program]]:
    port = free_port()
    flags = [f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([EXPORTER, *flags], stderr=log)  # noqa: S603  our own words
    try:
        wait_until_answered(port)
        yield process, Program(process.pid, port)
    finally:
        process.kill()
        process.wait()


def _unmet(soak: Soak, quarters: list[Quarter], status: int, log: str) -> list[str]:
    """What should have been otherwise."""
    first, second, *_, last = quarters
    rules = {
        f"a target was not up with its figure {_RECOVERY:g} s after a storm": max(
            quarter.recovery for quarter in quarters
        )
        < _RECOVERY,
        f"descriptors: {first.descriptors}, then {last.descriptors}": abs(
            last.descriptors - first.descriptors
        )
        <= _STRAY,
        f"threads: {first.threads}, then {last.threads}": abs(last.threads - first.threads)
        <= _STRAY,
        f"memory grew from {second.memory:.1f} to {last.memory:.1f} MB": last.memory
        <= _GROWTH * second.memory,
        f"wrong figures: {sorted(soak.tally.wrong)[:5]}": not soak.tally.wrong,
        f"{soak.tally.counts['internal']} polls failed internally": not soak.tally.counts[
            "internal"
        ],
        f"{soak.crowd.counts['failed']} scrapes failed": not soak.crowd.counts["failed"],
        f"a scrape took {soak.crowd.longest:.2f} s": soak.crowd.longest < _LONGEST_SCRAPE,
        f"{soak.reloads[False]} reloads ended otherwise": not soak.reloads[False],
        f"SIGTERM: status {status}": status == 0,
        "its log has a traceback": "Traceback" not in log,
    }
    return [words for words, is_met in rules.items() if not is_met]


def _table(quarters: list[Quarter]) -> Table:
    return Table(
        "Soak",
        "Totals at the end of each quarter; the rest in the calm after it.",
        ("polls", "scrapes", "reloads", "descriptors", "threads", "memory, MB", "all up after, s"),
        [
            (*(f"{number:,}" for number in quarter[:5]), *(f"{value:.1f}" for value in quarter[5:]))
            for quarter in quarters
        ],
    )


def main() -> int:
    """Soak, print what was seen, and give the exit status."""
    seconds = float(os.environ.get("SOAK_SECONDS", "120"))
    with TemporaryDirectory() as folder, _vendors() as vendors:
        file = Path(folder) / "soak.yaml"
        file.write_text(vendors.configuration(None), encoding="ascii")
        with _exporter(file) as (process, program):
            soak = Soak(program, vendors, file)
            quarters = [soak.quarter(seconds / _QUARTERS) for _ in range(_QUARTERS)]
            process.terminate()
            status = process.wait(5)
        unmet = _unmet(soak, quarters, status, file.with_suffix(".log").read_text("utf-8"))
    counted = ", ".join(
        f"{name} {number:,}" for name, number in soak.tally.counts.items() if number
    )
    sys.stdout.write(f"{_table(quarters).markdown()}\n{counted}; ")
    sys.stdout.write(f"longest scrape {soak.crowd.longest:.2f} s\n")
    sys.stdout.writelines(f"NOT MET: {words}\n" for words in unmet)
    return bool(unmet)


if __name__ == "__main__":
    sys.exit(main())
