"""Notices that a file holds something else than before."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from exporter.regular_file import content

if TYPE_CHECKING:
    from pathlib import Path

LOOK_EVERY: Final = 5.0  # seconds


class Watched:
    """A file, and what it held at the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = _digest(path)

    def has_changed(self) -> bool:
        """Whether it holds something else than at the last look, or is gone."""
        last, self._last = self._last, _digest(self._path)
        return self._last != last


def _digest(path: Path) -> bytes | None:
    try:
        return blake2b(content(path)).digest()
    except OSError:
        return None
