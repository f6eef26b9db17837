"""Bytes that are sent again and again, where the kernel sends them by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from weakref import finalize

if TYPE_CHECKING:
    from collections.abc import Iterator

_SMALL: Final = 64 * 1024  # bytes that are sent with one call as they are


class MemoryFile:
    """Bytes in a file that has no name and no place on any disk; it goes with the last reference.

    Raises:
        OSError: there are no descriptors left.
    """

    def __init__(self, content: bytes) -> None:
        self._descriptor = os.memfd_create("docusage-exporter")
        finalize(self, os.close, self._descriptor)
        self._length = os.write(self._descriptor, content)

    def fileno(self) -> int:
        """The file's descriptor, as `os.sendfile` wants it."""
        return self._descriptor

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        return os.pread(self._descriptor, self._length, 0)


def pieces(content: bytes | MemoryFile, size: int) -> Iterator[bytes]:
    """The content in pieces of `size` bytes, the last of which may be shorter."""
    for at in range(0, len(content), size):
        if isinstance(content, MemoryFile):
            yield os.pread(content.fileno(), size, at)
        else:
            yield content[at : at + size]


def kept(content: bytes) -> bytes | MemoryFile:
    """The content in a file, where it is worth one and can be had, which is on Linux."""
    if len(content) <= _SMALL or not hasattr(os, "memfd_create"):
        return content
    try:
        return MemoryFile(content)
    except OSError:
        return content
