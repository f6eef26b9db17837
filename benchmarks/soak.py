"""Whether a long storm of faults leaves a trace in the exporter: `python -m benchmarks.soak`.

Four storms, `SOAK_SECONDS` (120) together: half of the targets fail in changing ways, clients
scrape, dawdle and stick, over TLS, reloads add, change and remove targets. After each storm there
is a calm: every target has to come back with its new figure, and what the process holds is
measured.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from http.client import HTTPSConnection
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import unsteady
from benchmarks.client import PLAIN, Scraper, trusting_context
from benchmarks.crowd import Crowd
from benchmarks.programs import EXPORTER, Program, free_port, wait_until_answered
from benchmarks.report import Table
from benchmarks.storm import ACCOUNTS, STEP
from benchmarks.tally import Tally, figures, up
from benchmarks.tls_memory import certify

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

_QUARTERS: Final = 4
_RELOAD_EVERY: Final = 2.0
_RECOVERY: Final = 30.0  # seconds until all targets are up again
_LONGEST_SCRAPE: Final = 2.0  # seconds, whatever other clients do
_STRAY: Final = 5  # descriptors and threads by which two calms may differ
_GROWTH: Final = 1.1  # of memory from the second calm to the last
_FAULTS: Final = {  # reasons that a storm brings about
    *("connect", "malformed", "rate_limited", "redirect"),
    *("server_error", "timeout", "tls", "too_large"),
}


class Quarter(NamedTuple):
    """Done up to the end of a storm, held in the calm after it, and seconds until all were up."""

    polls: int
    scrapes: int
    reloads: int
    descriptors: int
    threads: int
    memory: float
    recovery: float


class Soak:
    """One exporter in storms and calms."""

    def __init__(self, program: Program, vendors: unsteady.Vendors, file: Path) -> None:
        self.tally = Tally()
        self.crowd = Crowd(program.port, trusting_context())
        self.reloads: Counter[bool] = Counter()  # by whether they ended as they should
        self._program = program
        self._vendors = vendors
        self._file = file
        self._turns = count()
        self._calms = count(1)

    def quarter(self, seconds: float) -> Quarter:
        """A storm, and the calm after it."""
        self._vendors.tell("storm")
        with self.crowd.around(self._reload_often), self._scraper() as scraper:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self.tally.read(scraper.ask().body.decode())
                time.sleep(0.5)
        recovery = self._calm()
        done = self.tally.counts["polls"], self.crowd.counts["scrapes"], self.reloads.total()
        return Quarter(*done, *self._held(), self._program.memory, recovery)

    def _scraper(self) -> Scraper:
        return Scraper(self._program.port, PLAIN, tls=trusting_context())

    def _calm(self) -> float:
        """Seconds until every target is up with its new figure."""
        self._vendors.tell("calm")
        base = next(self._calms) * STEP
        expected = {number: base + number for number in ACCOUNTS}
        start = time.monotonic()
        self._reload(self._vendors.configuration(None), 200)
        with self._scraper() as scraper:
            while (took := time.monotonic() - start) < _RECOVERY:
                page = scraper.ask().body.decode()
                self.tally.read(page)
                if up(page) == len(ACCOUNTS) and figures(page) == expected:
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
        status = self._asked_to_reload() if expected else None
        self.reloads[status == expected] += 1

    def _asked_to_reload(self) -> int:
        port, tls = self._program.port, trusting_context()
        connection = HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
        connection.request("POST", "/-/reload")
        status = connection.getresponse().status
        connection.close()
        return status


@contextmanager
def _exporter(file: Path) -> Iterator[tuple[subprocess.Popen[bytes], Program]]:
    port = free_port()
    web = certify(file.parent)
    flags = [
        *(f"--config.file={file}", f"--web.config.file={web}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"),
    ]
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([EXPORTER, *flags], stderr=log)  # noqa: S603  our own words
    try:
        wait_until_answered(port, tls=trusting_context())
        yield process, Program(process.pid, port)
    finally:
        process.kill()
        process.wait()


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    """Its exit status after SIGTERM; None if it does not heed that."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(5)
    return None


def _unmet(soak: Soak, quarters: list[Quarter], status: int | None, log: str) -> list[str]:
    """What should have been otherwise."""
    first, second, *_, last = quarters
    counts, crowd, slowest = soak.tally.counts, soak.crowd, max(each.recovery for each in quarters)
    rules = (
        (slowest < _RECOVERY, f"a target was not back {_RECOVERY:g} s after a storm"),
        (last.descriptors <= first.descriptors + _STRAY, f"{last.descriptors} descriptors"),
        (last.threads <= first.threads + _STRAY, f"{last.threads} threads"),
        (last.memory <= _GROWTH * second.memory, f"memory grew to {last.memory:.1f} MB"),
        (not soak.tally.wrong, f"wrong figures: {sorted(soak.tally.wrong)[:5]}"),
        (counts.keys() >= _FAULTS, f"faults that never came: {sorted(_FAULTS - counts.keys())}"),
        (not counts["internal"], f"{counts['internal']} polls failed internally"),
        (not crowd.counts["failed"], f"{crowd.counts['failed']} scrapes failed"),
        (crowd.longest < _LONGEST_SCRAPE, f"a scrape took {crowd.longest:.2f} s"),
        (not soak.reloads[False], f"{soak.reloads[False]} reloads ended otherwise"),
        (status == 0, f"SIGTERM ended it with {status}"),
        ("Traceback" not in log, "its log has a traceback"),
    )
    return [words for is_met, words in rules if not is_met]


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
    with TemporaryDirectory() as folder, unsteady.vendors() as vendors:
        file = Path(folder) / "soak.yaml"
        file.write_text(vendors.configuration(None), encoding="ascii")
        with _exporter(file) as (process, program):
            soak = Soak(program, vendors, file)
            quarters = [soak.quarter(seconds / _QUARTERS) for _ in range(_QUARTERS)]
            status = _ended(process)
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
