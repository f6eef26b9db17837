"""What `Content-Encoding` says of a body, and gzip within a limit."""

from __future__ import annotations

import zlib
from typing import Final

from exporter.model import FailureReason, PollError, malformed_response

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_COMPRESSED: Final = _GZIP | {"br", "compress", "x-compress", "deflate", "zstd", "dcb", "dcz"}
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS


def too_large(limit: int) -> PollError:
    """The failure of a response over its limit of bytes."""
    return PollError(FailureReason.TOO_LARGE, f"the response is over {limit} bytes")


def decode(body: bytes, content_encoding: str, limit: int) -> bytes:
    """The plain bytes of a body.

    Every encoding that is no compression (empty, `identity`, `none`, `UTF-8`) means plain bytes.

    Args:
        body: as it came.
        content_encoding: the header; several values are separated by commas.
        limit: bytes that are decoded at most.

    Raises:
        PollError: malformed, when the body is compressed in another way than gzip, or damaged;
            too_large, when it would be longer than `limit`.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    compressed = [name for name in names if name in _COMPRESSED]
    if not compressed:
        return body
    if len(compressed) > 1 or compressed[0] not in _GZIP:
        raise malformed_response(
            f"the response is compressed ({', '.join(compressed)}) "
            "although plain bytes were requested"
        )
    return _gunzip(body, limit)


def _gunzip(body: bytes, limit: int) -> bytes:
    decoded = bytearray()
    while body:  # a gzip file is one member or several
        member = zlib.decompressobj(_GZIP_FORMAT)
        try:
            decoded += member.decompress(body, limit + 1 - len(decoded))
        except zlib.error:
            raise malformed_response("the response is not the gzip it says it is") from None
        if len(decoded) > limit:
            raise too_large(limit)
        if not member.eof:
            raise malformed_response("the response in gzip was cut off")
        body = member.unused_data
    return bytes(decoded)
