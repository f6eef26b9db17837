"""Prometheus' own programs, for tests that run them."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping


def program(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where a program is; without it the test is skipped, or fails where CI is set."""
    if path := shutil.which(name):
        return path
    message = f"{name} is missing: install Debian's prometheus and prometheus-alertmanager"
    if environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def output(name: str, *arguments: object) -> str:
    """What a program says; AssertionError with its words where it fails."""
    command = [program(name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  ours
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
