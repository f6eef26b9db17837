"""Programs that end-to-end tests run: `make servers` installs them."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping


def program(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where a program is; without it the test is skipped, or fails with CI set."""
    found = shutil.which(name, path=f"{environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        reason = f"{name} is not installed; `make servers` installs it"
        if environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
