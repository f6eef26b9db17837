"""Parts of a gzip file that are compressed once and joined as often as needed.

A part ends on a byte's border and refers to nothing outside of it, so that parts can follow one
another in any order; what the file's end says of the whole is combined from what is kept of each.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER: Final = bytes.fromhex("1f8b 08 00 00000000 04 ff")  # deflate; no name, no time
_LAST_BLOCK: Final = b"\x03\x00"  # an empty one, marked as the last
_RAW: Final = -15  # zlib's number for deflate without header and end
_GZIP: Final = 31  # and for a gzip file


class Part(NamedTuple):
    """A text, compressed, with its CRC-32 and its length in bytes."""

    deflated: bytes
    crc: int
    length: int


def deflated(text: bytes) -> Part:
    """A part that holds `text`."""
    compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _RAW)
    whole = compressor.compress(text) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
    return Part(whole, isal_zlib.crc32(text), len(text))


def inflated(part: Part) -> bytes:
    """The text that a part holds."""
    return isal_zlib.decompressobj(_RAW).decompress(part.deflated)


def gzip_file(parts: Iterable[Part]) -> bytes:
    """A gzip file, of one member, that holds the text of the parts."""
    pieces = [_HEADER]
    crc = length = 0
    for part in parts:
        pieces.append(part.deflated)
        crc = isal_zlib.crc32_combine(crc, part.crc, part.length)
        length += part.length
    return b"".join((*pieces, _LAST_BLOCK, struct.pack("<LL", crc, length % 2**32)))


def gunzipped(file: bytes) -> bytes:
    """The text that a gzip file holds."""
    return isal_zlib.decompress(file, _GZIP)
