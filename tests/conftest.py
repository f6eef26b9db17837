"""Fixtures and settings for every test."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from cli_runner import CliRunner
from exporter_process import ACCOUNTS, affinda_target, configuration, served, xtracta_target
from hypothesis import settings
from laws import EXAMPLES

from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Laws do not depend on how fast the machine is.
settings.register_profile("some examples", deadline=None, max_examples=EXAMPLES)
settings.register_profile("few examples", deadline=None, max_examples=10)  # for `interpreters`
settings.register_profile("many examples", deadline=None, max_examples=2000)  # for `make laws`
settings.load_profile("some examples")

LOGGERS = ("", "exporter", "httpx", "httpcore", "hpack", "asyncio")


@pytest.fixture(scope="session", autouse=True)
def _few_authorities() -> Iterator[None]:
    """Without a folder of trusted authorities: each client would read its hundreds of files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_DIR", raising=False)
        yield


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> CliRunner:
    return CliRunner(capsys)


@pytest.fixture
def vendors() -> Vendors:
    return Vendors(ACCOUNTS)


@pytest.fixture
def base_url(vendors: Vendors) -> Iterator[str]:
    """The URL of simulated vendors that run during the test."""
    with served(vendors) as url:
        yield url


@pytest.fixture(scope="session")
def logging_setup() -> tuple[dict[str, int], list[logging.Handler]]:
    """Levels and handlers as they are before any command runs, in a module's fixture too."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    return levels, list(logging.getLogger().handlers)


@pytest.fixture(autouse=True)
def _restore_logging(
    logging_setup: tuple[dict[str, int], list[logging.Handler]],
) -> Iterator[None]:
    """Undo the logging setup of commands that a test runs."""
    levels, handlers = logging_setup
    yield
    logging.getLogger().handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def probed(tmp_path: Path, base_url: str) -> Path:
    """A configuration with two targets that succeed and one whose key is rejected."""
    path = tmp_path / "probed.yaml"
    refused = affinda_target(base_url, "acme-refused", "revoked-key")
    path.write_text(configuration(affinda_target(base_url), xtracta_target(base_url), refused))
    return path
