"""Notices that a file holds something else than before."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

EVERY: Final = 5.0  # seconds between two looks


async def changes(path: Path, every: float = EVERY) -> AsyncIterator[None]:
    """Yields whenever the file's content has changed since the last look, deletion included."""
    last = await asyncio.to_thread(_digest, path)
    while True:
        await asyncio.sleep(every)
        now = await asyncio.to_thread(_digest, path)
        if now != last:
            last = now
            yield


def _digest(path: Path) -> bytes | None:
    try:
        return blake2b(path.read_bytes()).digest()
    except OSError:
        return None
