"""What holds for every test."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from cli_runner import CliRunner
from exporter_process import ACCOUNTS, affinda_target, configuration, served, xtracta_target
from hypothesis import settings

from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

# A law holds on a busy machine too: how long a case takes is no part of it.
settings.register_profile("whatever the time", deadline=None)
settings.load_profile("whatever the time")

LOGGERS = ("", "exporter", "httpx", "httpcore", "hpack", "asyncio")


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> CliRunner:
    return CliRunner(capsys)


@pytest.fixture
def vendors() -> Vendors:
    return Vendors(ACCOUNTS)


@pytest.fixture
def base_url(vendors: Vendors) -> Iterator[str]:
    """Where simulated vendors answer while a test runs."""
    with served(vendors) as url:
        yield url


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that a test runs sets up logging: undone afterwards."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def _lines_after_an_event_loop_are_measured() -> Iterator[None]:  # pragma: no cover  see below
    """While coverage is measured, an event loop has a tracer of its own.

    In Python 3.11 a coroutine has no event of its own when it goes on because another one, which
    it waited for, swallowed an exception that was thrown in: a timeout that became a failure, a
    connection attempt that was given up. The tracer then takes what follows, to the end of the
    thread, for lines of another file. (These lines themselves run between two tracers.)
    """
    loop_runs = asyncio.Runner.run

    def run(runner: asyncio.Runner, main: Coroutine[Any, Any, Any], **context: Any) -> Any:  # noqa: ANN401  as it is given
        before = sys.gettrace()
        sys.settrace(threading.gettrace())  # what makes a tracer for a new thread
        try:
            return loop_runs(runner, main, **context)
        finally:
            sys.settrace(before)
            logging.getLogger()  # it takes effect with the next call of any function

    with pytest.MonkeyPatch.context() as patch:
        if sys.version_info < (3, 12) and threading.gettrace():
            patch.setattr(asyncio.Runner, "run", run)
        yield


@pytest.fixture
def probed(tmp_path: Path, base_url: str) -> Path:
    """A configuration with two targets that answer, and one that is refused."""
    path = tmp_path / "probed.yaml"
    refused = affinda_target(base_url, "acme-refused", "revoked-key")
    path.write_text(configuration(affinda_target(base_url), xtracta_target(base_url), refused))
    return path
