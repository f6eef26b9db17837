"""The exporter as a process, and simulated vendors for it to poll."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.error import HTTPError

from prometheus_client.parser import text_string_to_metric_families

from exporter.demo.accounts import Accounts, Group, Organization, Plan

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Mapping

    from exporter.demo.vendors import Vendors

MODULE = (sys.executable, "-m", "exporter")
COMMAND = (str(Path(sys.executable).with_name("docusage-exporter")),)
ACCOUNTS = Accounts(
    (
        Organization(
            "mEFayXdO",
            "Acme",
            "made-up-key-a",
            {date(2026, 3, 2): 12, date(2026, 3, 1): 30, date(2026, 2, 28): 58},
        ),
    ),
    (
        Group(
            481,
            "Head",
            "made-up-key-x",
            (
                Plan(
                    *(7, "Yearly", 390, "NZD", 1000, 250),
                    start=datetime(2026, 1, 1, tzinfo=UTC),
                    expiry=datetime(2027, 1, 1, tzinfo=UTC),
                ),
            ),
        ),
    ),
    lambda: datetime(2026, 3, 2, 13, tzinfo=UTC),
)
T = TypeVar("T")
TIMEOUT = 30.0  # seconds, which only a busy machine needs


def affinda_target(base_url: str, name: str = "acme-a", key: str = "made-up-key-a") -> str:
    return f"""
  - name: {name}
    vendor: affinda
    base_url: {base_url}
    organization: mEFayXdO
    api_key: {key}
    allowance: {{credits: 400, period: month}}
"""


def xtracta_target(base_url: str, name: str = "acme-x", key: str = "made-up-key-x") -> str:
    return f"""
  - name: {name}
    vendor: xtracta
    base_url: {base_url}
    api_key: {key}
"""


def configuration(*targets: str, interval: str = "1h") -> str:
    poll = f"poll: {{interval: {interval}, requests_per_second: 1000}}"
    return f"{poll}\ntargets:" + "".join(targets)


@contextmanager
def served(vendors: Vendors) -> Iterator[str]:
    """Simulated vendors in a thread; gives their base URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    serving = vendors.serve()
    try:
        yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(TIMEOUT)
    finally:
        leaving = serving.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(leaving, loop).result(TIMEOUT)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """A running exporter."""

    process: subprocess.Popen[str]
    output: Path
    log: Path

    @property
    def url(self) -> str:
        """The URL in its log."""
        found = until(lambda: re.search(r"msg=serving url=(\S+)", self.log.read_text()))
        return str(found[1])

    def ask(self, path: str, method: str = "GET") -> Answer:
        request = urllib.request.Request(self.url + path, method=method)  # noqa: S310  our own URL
        return answered(request)

    def values(self) -> dict[str, float]:
        """The samples of /metrics by name and label values."""
        return values(self.ask("/metrics").text)

    def ended_by(self, number: signal.Signals) -> int:
        """Its exit status within five seconds after a signal."""
        self.process.send_signal(number)
        return self.process.wait(5)


def answered(request: urllib.request.Request) -> Answer:
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310  as above
    except HTTPError as error:
        response = error
    with response:
        return Answer(response.status, dict(response.headers), response.read().decode())


def text_at(url: str) -> str | None:
    """The text of a page; None while nothing answers, or an error does."""
    try:
        answer = answered(urllib.request.Request(url))  # noqa: S310  http, on loopback
    except OSError:
        return None
    return answer.text if answer.status == 200 else None


def values(page: str) -> dict[str, float]:
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def until(condition: Callable[[], T | None], timeout: float = TIMEOUT) -> T:
    """The first true result of `condition`, within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.02)
    return result


def environment(**variables: str) -> dict[str, str]:
    """The environment of this process without the exporter's variables, and with these."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("DOCUSAGE_")
    }
    return inherited | variables


@contextmanager
def running(
    folder: Path,
    *arguments: str,
    start: tuple[str, ...] = MODULE,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """The exporter with these arguments; killed if it still runs at the end."""
    output, log = folder / "output", folder / "log"
    with output.open("w") as out, log.open("w") as err:
        process = started(out, err, *start, *arguments, environ=environ or {})
    try:
        yield Program(process, output, log)
    finally:
        process.kill()
        process.wait()


def started(
    out: IO[str], err: IO[str], *command: str, environ: Mapping[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  our own program
        command, stdout=out, stderr=err, env=environment(**environ), text=True
    )


def done(*command: str, **environ: str) -> tuple[int, str, str]:
    """The exit status and the output of a command that ends by itself."""
    ended = subprocess.run(  # noqa: S603  our own program
        [*MODULE, *command],
        capture_output=True,
        check=False,
        env=environment(**environ),
        text=True,
        timeout=20,
    )
    return ended.returncode, ended.stdout, ended.stderr
