"""How far a backfill is, on a terminal; nothing in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

_WIDTH: Final = 30
_FROM_THE_LEFT: Final = "\r\x1b[K"  # over what stood in the line


class Progress:
    """A bar of how many of `total` targets are done.

    Args:
        total: how many there are.
        stream: where to show it.
    """

    def __init__(self, total: int, stream: TextIO) -> None:
        self._total = total
        self._stream = stream
        self._is_shown = stream.isatty()

    def show(self, done: int, words: str, parts: int = 0) -> None:
        """So many are done, and this is being done, of which so many parts have come."""
        filled = _WIDTH * done // self._total
        more = f", {parts} of its parts" if parts else ""
        bar = "#" * filled + "." * (_WIDTH - filled)
        self._write(f"{_FROM_THE_LEFT}[{bar}] {done}/{self._total}  {words}{more}")

    def clear(self) -> None:
        """Leave the line to what comes next."""
        self._write(_FROM_THE_LEFT)

    def _write(self, text: str) -> None:
        if self._is_shown:
            self._stream.write(text)
            self._stream.flush()
