"""Whether faults leave anything behind in the exporter: `python -m benchmarks.soak`.

Four rounds, `SOAK_SECONDS` (120) together. In each, half of the targets fail in changing ways,
clients scrape or hold connections open, over TLS, and reloads add, change and remove targets. Then
the faults end: every target has to recover with a new value, and resources are measured.
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

from benchmarks import soak_config
from benchmarks.client import PLAIN, Scraper, trusting_context
from benchmarks.clients import Clients
from benchmarks.connections import write_tls_config
from benchmarks.faulty_vendors import ACCOUNTS, ROUND_STEP
from benchmarks.page_checks import PageChecks, targets_up, usage
from benchmarks.programs import EXPORTER, Program, free_port, wait_for_page
from benchmarks.report import Table

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

_ROUNDS: Final = 4
_RELOAD_INTERVAL: Final = 2.0  # seconds
_INVALID_EVERY: Final = 5  # reloads
_MAX_RECOVERY: Final = 30.0  # seconds until all targets are up again
_MAX_SCRAPE: Final = 2.0  # seconds, whatever other clients do
_MAX_LEAK: Final = 5  # descriptors and threads more than after the first round
_MAX_GROWTH: Final = 1.1  # of memory since the second round
_EXPECTED_REASONS: Final = {
    *("connect", "malformed", "rate_limited", "redirect"),
    *("server_error", "timeout", "tls", "too_large"),
}


class Round(NamedTuple):
    """Totals at the end of a round, resources after it, and seconds until all targets were up."""

    polls: int
    scrapes: int
    reloads: int
    descriptors: int
    threads: int
    memory: float
    recovery: float


class Soak:
    """The rounds of one exporter."""

    def __init__(
        self, program: Program, vendors: soak_config.FaultyVendors, config_file: Path
    ) -> None:
        self.checks = PageChecks()
        self.clients = Clients(program.port, trusting_context())
        self.reloads: Counter[bool] = Counter()  # by whether the status was the expected one
        self._program = program
        self._vendors = vendors
        self._config_file = config_file
        self._steps = count()
        self._recoveries = count(1)

    def run_round(self, seconds: float) -> Round:
        """Faults for some seconds, then recovery."""
        self._vendors.send("faults")
        with self.clients.running(self._reload_often), self._scraper() as scraper:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self.checks.add(scraper.scrape().body.decode())
                time.sleep(0.5)
        recovery = self._recover()
        totals = self.checks.polls, self.clients.counts["scrapes"], self.reloads.total()
        return Round(*totals, *self._resources(), self._program.memory, recovery)

    def _scraper(self) -> Scraper:
        return Scraper(self._program.port, PLAIN, tls=trusting_context())

    def _recover(self) -> float:
        """Seconds until every target is up with its new value."""
        self._vendors.send("recover")
        base = next(self._recoveries) * ROUND_STEP
        expected = {account: base + account for account in ACCOUNTS}
        start = time.monotonic()
        self._reload(self._vendors.valid_configuration(), expected_status=200)
        with self._scraper() as scraper:
            while (duration := time.monotonic() - start) < _MAX_RECOVERY:
                page = scraper.scrape().body.decode()
                self.checks.add(page)
                if targets_up(page) == len(ACCOUNTS) and usage(page) == expected:
                    return duration
                time.sleep(0.2)
        return float("inf")

    def _resources(self) -> tuple[int, int]:
        """Descriptors and threads: the minimum of many samples, since polls go on."""
        samples = []
        for _ in range(60):
            time.sleep(0.05)
            process = Path(f"/proc/{self._program.pid}")
            samples.append([len(list((process / kind).iterdir())) for kind in ("fd", "task")])
        descriptors, threads = map(min, zip(*samples, strict=True))
        return descriptors, threads

    def _reload_often(self, stop: threading.Event) -> None:
        """Reload by signal and by request, from time to time an invalid configuration."""
        while not stop.wait(_RELOAD_INTERVAL):
            step = next(self._steps)
            if step % _INVALID_EVERY == _INVALID_EVERY - 1:
                self._reload(soak_config.INVALID, expected_status=500)
            else:
                status = 200 if step % 2 else None
                self._reload(self._vendors.changing_configuration(step), expected_status=status)

    def _reload(self, text: str, *, expected_status: int | None) -> None:
        """Replace the configuration and reload it: by signal if no status is expected."""
        new = self._config_file.with_suffix(".new")
        new.write_text(text, encoding="ascii")
        new.replace(self._config_file)
        if expected_status is None:
            os.kill(self._program.pid, signal.SIGHUP)
        status = self._reload_by_request() if expected_status else None
        self.reloads[status == expected_status] += 1

    def _reload_by_request(self) -> int:
        port, tls = self._program.port, trusting_context()
        connection = HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
        connection.request("POST", "/-/reload")
        status = connection.getresponse().status
        connection.close()
        return status


@contextmanager
def _exporter(config_file: Path) -> Iterator[tuple[subprocess.Popen[bytes], Program]]:
    port = free_port()
    flags = [
        f"--config.file={config_file}",
        f"--web.config.file={write_tls_config(config_file.parent)}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with config_file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([EXPORTER, *flags], stderr=log)  # noqa: S603  our own words
    try:
        wait_for_page(port, tls=trusting_context())
        yield process, Program(process.pid, port)
    finally:
        process.kill()
        process.wait()


def _terminated(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status after SIGTERM; None if it goes on running."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(5)
    return None


def _violations(soak: Soak, rounds: list[Round], status: int | None, log: str) -> list[str]:
    """What was not as it has to be."""
    first, second, *_, last = rounds
    checks, clients, slowest = soak.checks, soak.clients, max(each.recovery for each in rounds)
    missing = _EXPECTED_REASONS - checks.failing.keys()
    rules = (
        (slowest < _MAX_RECOVERY, f"a target was down {_MAX_RECOVERY:g} s after the faults"),
        (last.descriptors <= first.descriptors + _MAX_LEAK, f"{last.descriptors} descriptors"),
        (last.threads <= first.threads + _MAX_LEAK, f"{last.threads} threads"),
        (last.memory <= _MAX_GROWTH * second.memory, f"memory grew to {last.memory:.1f} MB"),
        (not checks.wrong_usage, f"wrong values: {sorted(checks.wrong_usage)[:5]}"),
        (not missing, f"faults that never occurred: {sorted(missing)}"),
        (not checks.failing["internal"], "polls failed with an internal error"),
        (not clients.counts["failed"], f"{clients.counts['failed']} scrapes failed"),
        (clients.longest < _MAX_SCRAPE, f"a scrape took {clients.longest:.2f} s"),
        (not soak.reloads[False], f"{soak.reloads[False]} reloads had an unexpected status"),
        (status == 0, f"exit status {status} after SIGTERM"),
        ("Traceback" not in log, "traceback in the log"),
    )
    return [text for is_met, text in rules if not is_met]


def _table(rounds: list[Round]) -> Table:
    return Table(
        "Soak",
        "Totals at the end of each round; resources after the faults have ended.",
        ("polls", "scrapes", "reloads", "descriptors", "threads", "memory, MB", "all up after, s"),
        [
            (*(f"{number:,}" for number in each[:5]), *(f"{value:.1f}" for value in each[5:]))
            for each in rounds
        ],
    )


def main() -> int:
    """Run, print what was seen, and return the exit status."""
    seconds = float(os.environ.get("SOAK_SECONDS", "120"))
    with TemporaryDirectory() as folder, soak_config.faulty_vendors() as vendors:
        config_file = Path(folder) / "soak.yaml"
        config_file.write_text(vendors.valid_configuration(), encoding="ascii")
        with _exporter(config_file) as (process, program):
            soak = Soak(program, vendors, config_file)
            rounds = [soak.run_round(seconds / _ROUNDS) for _ in range(_ROUNDS)]
            status = _terminated(process)
        log = config_file.with_suffix(".log").read_text("utf-8")
    reasons = ", ".join(f"{reason} {seen:,}" for reason, seen in soak.checks.failing.items())
    sys.stdout.write(f"{_table(rounds).markdown()}\nFailing targets seen: {reasons}\n")
    sys.stdout.write(f"Longest scrape: {soak.clients.longest:.2f} s\n")
    violations = _violations(soak, rounds, status, log)
    sys.stdout.writelines(f"NOT MET: {text}\n" for text in violations)
    return bool(violations)


if __name__ == "__main__":
    sys.exit(main())
