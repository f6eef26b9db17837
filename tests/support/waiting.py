"""Waiting for what another thread or process does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(condition: Callable[[], object]) -> None:
    """Wait until `condition()` is true, for 10 seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  another thread or process
            await asyncio.sleep(0.005)
