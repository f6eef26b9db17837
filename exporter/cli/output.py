"""Standard output of commands: no encoding and no closed pipe ends them with a traceback."""

from __future__ import annotations

import io
import os
import sys


def escape_unencodable() -> None:
    """Escape the characters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write(text: str, *, is_utf8: bool = False) -> None:
    """Print `text`; for a format that is UTF-8 by definition, whatever the terminal's encoding."""
    if is_utf8 and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, needs no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
