"""HTTP requests, and the responses to them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Headers: TypeAlias = list[tuple[bytes, bytes]]
Handler: TypeAlias = "Callable[[Request], Awaitable[Response]]"

PLAIN: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class Request(NamedTuple):
    """A request: `path` is decoded, `query` is raw; header names are in lower case.

    `keep_alive` is whether the client may send another one on the same connection.
    """

    method: str
    path: str
    headers: Headers
    query: bytes = b""
    body: bytes = b""
    keep_alive: bool = False


class Response(NamedTuple):
    """A response. Of two headers with the same name, in lower case, the last one is sent."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def head(self, date: bytes, *, closes: bool) -> bytes:
        """The status line and the headers.

        Args:
            date: the current time in HTTP's format.
            closes: whether the connection is closed after the body.
        """
        fields = {
            b"date": date,
            b"content-type": self.content_type.encode(),
            b"content-length": b"%d" % len(self.body),
            **dict(self.headers),
        }
        if closes:
            fields[b"connection"] = b"close"
        start = f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}\r\n"
        lines = [b"%b: %b\r\n" % field for field in fields.items()]
        return b"".join((start.encode(), *lines, b"\r\n"))


def text_response(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    """A response of one line of text."""
    return Response(status, PLAIN, f"{text}\n".encode(), headers)
