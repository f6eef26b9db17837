"""Programs that end-to-end tests run: `make servers` installs them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping


def program(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where a program is; without it the test is skipped, or fails with CI set."""
    found = shutil.which(name, path=f"{environ['PATH']}:/usr/sbin:/sbin")
    return found or lacking(f"{name} is not installed; `make servers` installs it", environ)


def lacking(reason: str, environ: Mapping[str, str] = os.environ) -> NoReturn:
    """Skip the test, or fail it with CI set."""
    if environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether a program accepts connections, without raising an exception."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def output(name: str, *arguments: object, timeout: float = 60) -> str:
    """What a program says; AssertionError with its words where it fails."""
    command = [program(name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)  # noqa: S603  ours
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
