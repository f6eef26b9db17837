"""Notices that a file holds something else than before."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from exporter.regular_file import content

if TYPE_CHECKING:
    from pathlib import Path

LOOK_EVERY: Final = 5.0  # seconds


class Watched:
    """A file, what it held at the last look, and how many seconds pass until the next."""

    def __init__(self, path: Path, every: float = LOOK_EVERY) -> None:
        self._path = path
        self._every = every
        self._last = _digest(path)

    async def change(self) -> None:
        """Wait until it holds something else than at the last look, or is gone."""
        while not await asyncio.to_thread(self.has_changed):  # noqa: ASYNC110  a file sets no event
            await asyncio.sleep(self._every)

    def has_changed(self) -> bool:
        """Whether it holds something else than at the last look, or is gone."""
        last, self._last = self._last, _digest(self._path)
        return self._last != last


def _digest(path: Path) -> bytes | None:
    try:
        return blake2b(content(path)).digest()
    except OSError:
        return None
