"""A request, and what is answered to it."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.memory_file import MemoryFile

Headers: TypeAlias = list[tuple[bytes, bytes]]
Answer: TypeAlias = "Callable[[Request], Awaitable[Response]]"

PLAIN: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"


class Request(NamedTuple):
    """What is asked. `path` is decoded, `query` is as it came; header names are in lower case."""

    method: str
    path: str
    headers: Headers
    query: bytes = b""
    body: bytes = b""


class Response(NamedTuple):
    """What is answered. Of two headers with the same name, in lower case, the last one counts."""

    status: int
    content_type: str
    body: bytes | MemoryFile
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def head(self, date: bytes, *, closes: bool) -> bytes:
        """What comes before the body.

        Args:
            date: the time, as HTTP writes it.
            closes: whether the connection ends after the body.
        """
        said = self.status, self.content_type, len(self.body), self.headers
        return _head(*said, date, closes=closes)


@lru_cache(maxsize=16)  # the same again at the next scrape within the second
def _head(  # noqa: PLR0913  all that a head says
    status: int,
    content_type: str,
    length: int,
    headers: tuple[tuple[bytes, bytes], ...],
    date: bytes,
    *,
    closes: bool,
) -> bytes:
    fields = {
        b"date": date,
        b"content-type": content_type.encode(),
        b"content-length": b"%d" % length,
        **dict(headers),
    }
    if closes:
        fields[b"connection"] = b"close"
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
    lines = [b"%b: %b\r\n" % field for field in fields.items()]
    return b"".join((f"HTTP/1.1 {status} {phrase}\r\n".encode(), *lines, b"\r\n"))


def said(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    """A short answer in words."""
    return Response(status, PLAIN, f"{text}\n".encode(), headers)
