"""Reads files of which nobody knows what they are: a pipe without a writer would never end."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def content(path: Path, most: int = -1) -> bytes:
    """The first bytes of the file at `path`, at most so many; without a number, all.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open(path, "rb", opener=without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return file.read(most)


def without_waiting(path: str, flags: int) -> int:
    """Opens a pipe that nobody writes to as empty, instead of waiting for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def fingerprint(path: Path) -> object:
    """Changes when the file is written, replaced, appears, or becomes readable; costs a stat."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
