"""The progress of reading history, shown only on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

_WIDTH: Final = 30
_CLEAR_LINE: Final = "\r\x1b[K"


class Progress:
    """A bar of how many of `total` targets are done.

    Args:
        total: number of targets.
        stream: where to show it.
    """

    def __init__(self, total: int, stream: TextIO) -> None:
        self._total = total
        self._stream = stream
        self._is_shown = stream.isatty()

    def show(self, done: int, status: str, scopes: int = 0) -> None:
        """Show how many targets are done, and how many scopes of the current one were read."""
        filled = _WIDTH * done // self._total
        bar = "#" * filled + "." * (_WIDTH - filled)
        suffix = f", {scopes} scopes" if scopes else ""
        self._write(f"{_CLEAR_LINE}[{bar}] {done}/{self._total}  {status}{suffix}")

    def clear(self) -> None:
        """Clear the line."""
        self._write(_CLEAR_LINE)

    def _write(self, text: str) -> None:
        if self._is_shown:
            self._stream.write(text)
            self._stream.flush()
