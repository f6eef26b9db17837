"""Files: read without blocking on pipes, replaced atomically, watched for changes."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

WATCH_INTERVAL: Final = 5.0  # seconds


def read_regular_file(path: Path, size: int = -1) -> bytes:
    """The first `size` bytes of a file; all by default.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    with open(path, "rb", opener=open_nonblocking) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return file.read(size)


def replace_file(path: Path, text: str, mode: int | None = None) -> None:
    """Replace a file atomically with UTF-8 text.

    Args:
        path: the file; another one may be linked to it.
        text: its content.
        mode: its permissions; by default those of a new file.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    path = path.resolve()
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        new = Path(folder) / path.name
        new.write_text(text, encoding="utf-8", newline="")
        if mode is not None:
            new.chmod(mode)
        new.replace(path)


def open_nonblocking(path: str, flags: int) -> int:
    """An opener that does not wait for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def fingerprint(path: Path) -> object:
    """A value that changes when the file appears, or is written or replaced; costs a stat."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


class FileWatcher:
    """Detects that the content of a file has changed.

    Args:
        path: the file.
        interval: seconds between two checks.
    """

    def __init__(self, path: Path, interval: float = WATCH_INTERVAL) -> None:
        self._path = path
        self._interval = interval
        self._last = _digest(path)

    async def wait_for_change(self) -> None:
        """Wait until `has_changed`."""
        while not await asyncio.to_thread(self.has_changed):  # noqa: ASYNC110  a file sets no event
            await asyncio.sleep(self._interval)

    def has_changed(self) -> bool:
        """Whether the content is not that of the last check; a missing file has none."""
        last, self._last = self._last, _digest(self._path)
        return self._last != last


def _digest(path: Path) -> bytes | None:
    try:
        return blake2b(read_regular_file(path)).digest()
    except OSError:
        return None
