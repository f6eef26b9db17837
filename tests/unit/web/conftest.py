from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser import Browser, browser
from programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser(program("chromium")) as opened:
        yield opened
