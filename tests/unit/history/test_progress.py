"""The progress bar of a backfill."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from exporter.history.progress import Progress

if TYPE_CHECKING:
    from typing import TextIO


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: TextIO) -> str:
    progress = Progress(3, stream)
    progress.show(2, "acme")
    progress.show(2, "acme", 7)
    progress.clear()
    stream.seek(0)
    return stream.read()


def test_a_terminal_shows_a_bar_that_is_cleared() -> None:
    bar = "#" * 20 + "." * 10
    assert shown(Terminal()) == (
        f"\r\x1b[K[{bar}] 2/3  acme\r\x1b[K[{bar}] 2/3  acme, 7 scopes\r\x1b[K"
    )


def test_a_pipe_shows_nothing() -> None:
    assert shown(io.StringIO()) == ""
