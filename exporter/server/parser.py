"""Parses requests one at a time, so that a client cannot make the server hold many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
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


class RequestParser:
    """Parses what a client sends, up to the end of one request at a time.

    Attributes:
        has_begun: whether a part of a request has been parsed.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._reset()

    def _reset(self) -> None:
        self._size = self._body_length = 0
        self._url = b""
        self._headers: Headers = []
        self._body = bytearray()
        self.has_begun = self._has_head = self._is_complete = False
        self._keep_alive = self._expects_continue = False

    def close(self) -> None:
        """Break the reference cycle with httptools' parser; this one cannot be used any more."""
        del self._parser

    def next_request(self, received: BytesIO) -> Request | None:
        """The next request in `received`, or None where its end has not been received yet.

        A piece is a line, or what the body still lacks: none goes past the end of a request.

        Raises:
            BadRequestError: the request is malformed or too large.
        """
        while piece := received.read(self._body_left()) or received.readline():
            self._size += len(piece)
            if self._size > MAX_REQUEST_SIZE:
                raise BadRequestError("Request too large.")
            self._feed(piece)
            if self._is_complete:
                return self._take()
        return None

    def must_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body; true only once."""
        is_waiting, self._expects_continue = self._expects_continue, False
        return is_waiting

    def _body_left(self) -> int:
        """Bytes of the body that are to come, where its length is given."""
        return max(0, self._body_length - len(self._body)) if self._has_head else 0

    def _feed(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # the offer to switch to another protocol is declined
        except httptools.HttpParserCallbackError:
            raise  # a defect below
        except httptools.HttpParserError:
            raise BadRequestError(_INVALID) from None

    def _take(self) -> Request:
        try:
            url = httptools.parse_url(self._url)
        except httptools.HttpParserInvalidURLError:
            raise BadRequestError(_INVALID) from None
        if url.path is None:
            raise BadRequestError(_INVALID)
        method = self._parser.get_method().decode("ascii")
        path, query = unquote(url.path.decode("ascii")), url.query or b""
        body = bytes(self._body)
        request = Request(method, path, self._headers, query, body, self._keep_alive)
        self._reset()
        return request

    def on_message_begin(self) -> None:
        """Called by httptools, as are those below."""
        self.has_begun = True

    def on_url(self, url: bytes) -> None:
        """Add a part of the URL."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; a trailer is none, since no proxy in front of the server has checked it."""
        if not self._has_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """See how the body comes, and whether another request may follow it.

        The body of a request that offers to switch to another protocol is not parsed: the
        connection has to end, or the body would be taken for requests.
        """
        headers, is_1_1 = dict(self._headers), self._parser.get_http_version() == "1.1"
        is_cut = self._parser.should_upgrade() and not _BODY_HEADERS.isdisjoint(headers)
        self._has_head = True
        self._body_length = int(headers.get(b"content-length", 0))
        self._expects_continue = is_1_1 and headers.get(b"expect", b"").lower() == b"100-continue"
        self._keep_alive = is_1_1 and not is_cut

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """End the request."""
        self._is_complete = True
        self._keep_alive = self._keep_alive and self._parser.should_keep_alive()
