"""Parses requests one at a time, so that a client cannot make the server hold many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

import httptools

from exporter.server.messages import Headers, Request

if TYPE_CHECKING:
    from io import BytesIO

MAX_REQUEST_SIZE: Final = 64 * 1024  # bytes
_BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})
_INVALID: Final = "Invalid HTTP request received."


class BadRequestError(Exception):
    """An invalid request; the text is for the client."""


class ParsedRequest(NamedTuple):
    """A request, and whether the client may send another one on the same connection."""

    request: Request
    keep_alive: bool


class RequestParser:
    """Parses what a client sends, up to the end of one request at a time."""

    def __init__(self) -> None:
        self._message = _Message()
        self._parser = httptools.HttpRequestParser(self._message)
        self._size = 0

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has been parsed."""
        return self._message.has_begun

    def next_request(self, received: BytesIO) -> ParsedRequest | None:
        """The next request in `received`, or None where its end has not been received yet.

        A piece is a line, or what the body's length allows, so that none goes past a request's end.

        Raises:
            BadRequestError: the request is malformed or too large.
        """
        while piece := received.read(self._message.body_left) or received.readline():
            self._size += len(piece)
            if self._size > MAX_REQUEST_SIZE:
                raise BadRequestError("Request too large.")
            self._feed(piece)
            if self._message.is_complete:
                return self._take()
        return None

    def must_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body; true only once."""
        message = self._message
        if not message.has_head or not message.expects_continue:
            return False
        message.expects_continue = False
        return self._is_http_1_1()

    def _feed(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # the offer to switch to another protocol is declined
        except httptools.HttpParserCallbackError:
            raise  # a defect of ours
        except httptools.HttpParserError:
            raise BadRequestError(_INVALID) from None

    def _take(self) -> ParsedRequest:
        message, parser = self._message, self._parser
        try:
            url = httptools.parse_url(message.url)
        except httptools.HttpParserInvalidURLError:
            raise BadRequestError(_INVALID) from None
        if url.path is None:
            raise BadRequestError(_INVALID)
        method, path = parser.get_method().decode("ascii"), unquote(url.path.decode("ascii"))
        request = Request(method, path, message.headers, url.query or b"", bytes(message.body))
        # Of a client that offers another protocol, the body is not parsed: it must not be taken
        # for requests.
        is_cut = parser.should_upgrade() and any(
            name in _BODY_HEADERS for name, _ in request.headers
        )
        self._size = 0
        message.reset()
        return ParsedRequest(
            request, self._is_http_1_1() and parser.should_keep_alive() and not is_cut
        )

    def _is_http_1_1(self) -> bool:
        return self._parser.get_http_version() == "1.1"


class _Message:
    """What httptools has parsed of a request so far."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.url = b""
        self.headers: Headers = []
        self.body = bytearray()
        self.has_begun = self.has_head = self.is_complete = self.expects_continue = False
        self._length = 0

    @property
    def body_left(self) -> int:
        """Bytes of the body that are still to come, where its length is given."""
        return max(0, self._length - len(self.body)) if self.has_head else 0

    def on_message_begin(self) -> None:
        self.has_begun = True

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.has_head:
            return  # a trailer is no header: no proxy in front of the exporter has checked it
        name = name.lower()
        self.headers.append((name, value))
        if name == b"content-length":
            self._length = int(value)
        elif name == b"expect":
            self.expects_continue = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True
