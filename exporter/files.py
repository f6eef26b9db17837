"""Regular files: reading them without blocking on pipes, fingerprints, and change detection."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

WATCH_INTERVAL: Final = 5.0  # seconds


def read_regular_file(path: Path, most: int = -1) -> bytes:
    """The first bytes of the file at `path`, at most so many; without a number, all.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open(path, "rb", opener=open_nonblocking) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return file.read(most)


def open_nonblocking(path: str, flags: int) -> int:
    """Opens a pipe that nobody writes to as empty, instead of waiting for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def fingerprint(path: Path) -> object:
    """Changes when the file is written, replaced, appears, or becomes readable; costs a stat."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


class FileWatcher:
    """A file, what it held at the last look, and how many seconds pass until the next."""

    def __init__(self, path: Path, every: float = WATCH_INTERVAL) -> None:
        self._path = path
        self._every = every
        self._last = _digest(path)

    async def wait_for_change(self) -> None:
        """Wait until it holds something else than at the last look, or is gone."""
        while not await asyncio.to_thread(self.has_changed):  # noqa: ASYNC110  a file sets no event
            await asyncio.sleep(self._every)

    def has_changed(self) -> bool:
        """Whether it holds something else than at the last look, or is gone."""
        last, self._last = self._last, _digest(self._path)
        return self._last != last


def _digest(path: Path) -> bytes | None:
    try:
        return blake2b(read_regular_file(path)).digest()
    except OSError:
        return None
