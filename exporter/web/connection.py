"""One connection: HTTP/1.1, and the time it has for what it is doing.

A client that is slow or stuck costs the others nothing, and is cut off:

    TLS handshake, and sending a request ......... RECEIVE seconds from its beginning
    waiting for the answer, and reading it ....... ANSWER seconds from the request's last byte
    idle until the next request .................. IDLE seconds from there

So is one whose request has no end, or who sends many without reading the answers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import unquote

import httptools

from exporter.memory_file import MemoryFile, pieces
from exporter.web.eager import begin
from exporter.web.response import Headers, Request, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.web.response import Answer, Response
    from exporter.web.web_config.tls import Tls

_log = logging.getLogger(__name__)

RECEIVE: Final = 10.0
ANSWER: Final = 30.0
IDLE: Final = 120.0
LONGEST_REQUEST: Final = 64 * 1024  # bytes
MOST_PIPELINED: Final = 8  # requests sent before the first is answered
_OF_A_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})
_PIECE: Final = 64 * 1024  # bytes: what is held in memory of a reply that is read slowly


class PipelineError(Exception):
    """Ends a connection that sends more requests than it reads answers."""


class _Question(NamedTuple):
    """A request, and whether it is the connection's last."""

    request: Request
    is_last: bool


class Connection(asyncio.Protocol):
    """One connection, from before its TLS handshake to its end.

    Args:
        answer: answers its requests, one after the other.
        tls: how it is encrypted, or None.
        started: told of the task that answers.
        lost: told when the connection is no more.

    Attributes:
        opening: the task that makes a connection of a socket; set by who started it.
        is_open: whether that has succeeded.
        since: when the connection began what it is doing, by the loop's clock.
    """

    opening: asyncio.Task[None]
    transport: asyncio.Transport

    def __init__(
        self,
        answer: Answer,
        tls: Tls | None,
        started: Callable[[asyncio.Task[None]], object],
        lost: Callable[[Connection], object],
    ) -> None:
        self._answer = answer
        self._started = started
        self._lost = lost
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._body = b""
        self._headers: Headers = []
        self._received = 0  # bytes since the last request ended
        self._is_receiving = True
        self._is_in_head = True
        self._questions: deque[_Question] = deque()  # the first is being answered
        self._has_read_all = False  # what comes now counts for nothing
        self._sending: asyncio.Task[None] | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._loop = asyncio.get_running_loop()
        self.tls = tls
        self.is_open = False
        self.since = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve it, or end it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  of a socket
        self.transport = transport
        self.is_open = True
        self.since = self._loop.time()
        if self.tls and not self.tls.admits(transport.get_extra_info("peercert")):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc  # a client's way to leave is its own affair
        self._can_write.set()
        if self._sending:
            self._sending.cancel()
        self._lost(self)

    def eof_received(self) -> bool:
        """Whether to stay: a client may say that it asks nothing more, and wait for its answers.

        TLS knows no such half-closed connection.
        """
        if self.tls or not self._questions:
            return False
        self._has_read_all = True
        self._questions[-1] = self._questions[-1]._replace(is_last=True)
        return True

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the request stays within its size, and answer what is complete."""
        if self._has_read_all or self.transport.is_closing():
            return
        is_busy = bool(self._questions)
        self._received += len(data)
        try:
            self._read(data)
        except httptools.HttpParserError:
            if not self._has_read_all:  # else it is what comes after the last request
                self._refuse("Invalid HTTP request received.")
        else:
            if self._received > LONGEST_REQUEST:
                self._refuse("Request too large.")
        if self._questions and not is_busy and (answering := begin(self._answer_all())):
            self._started(answering)

    def _read(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:  # to speak another protocol: declined
            self._read(data[offer.args[0] :])

    def _refuse(self, reason: str) -> None:
        self._has_read_all = True
        if self._sending:
            self.drop()
        else:
            reply = said(400, reason)
            self.transport.write(reply.head(_now(), closes=True) + bytes(reply.body))
            self.transport.close()

    def on_message_begin(self) -> None:
        """Start the clock of a request."""
        if self._has_read_all or len(self._questions) >= MOST_PIPELINED:
            raise PipelineError
        self._url = self._body = b""
        self._headers = []
        self._is_receiving = self._is_in_head = True
        self.since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        """Take in a piece of the request's URL."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header; one behind the body is none: no proxy in front has looked at it."""
        if self._is_in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Tell a client who waits for it that the body may come; HTTP/1.0 knows no such thing."""
        self._is_in_head = False
        expected = (value.lower() for name, value in self._headers if name == b"expect")
        if b"100-continue" in expected and self._speaks_1_1() and not self._questions:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take in a piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Have the request answered, after those before it; start the answer's clock."""
        url = httptools.parse_url(self._url)
        method, path = self._parser.get_method().decode("ascii"), unquote(url.path.decode("ascii"))
        request = Request(method, path, self._headers, url.query or b"", self._body)
        stays = self._speaks_1_1() and self._parser.should_keep_alive() and not self._is_cut()
        self._questions.append(_Question(request, is_last=not stays))
        self._has_read_all = not stays
        self._received = 0
        self._is_receiving = False
        self.since = self._loop.time()

    def _speaks_1_1(self) -> bool:
        return self._parser.get_http_version() == "1.1"

    def _is_cut(self) -> bool:
        """Whether the parser left out the body, for another protocol is offered.

        What follows is that body, and must not be taken for requests.
        """
        is_offered = self._parser.should_upgrade()
        return is_offered and any(name in _OF_A_BODY for name, _ in self._headers)

    async def _answer_all(self) -> None:
        while self._questions and not self.transport.is_closing():
            request = self._questions[0].request
            try:
                response = await self._answer(request)
            except Exception:  # noqa: BLE001  a fault ends this answer alone
                _log.exception("request not answered")
                response = said(500, "Internal server error; the log says more.")
            await self._can_write.wait()
            if not self.transport.is_closing():
                await self._send(request, response)
            if self._questions.popleft().is_last:
                self.transport.close()

    async def _send(self, request: Request, response: Response) -> None:
        head = response.head(_now(), closes=self._questions[0].is_last)
        body = b"" if request.method == "HEAD" else response.body
        if len(body) <= _PIECE:
            self.transport.write(head + bytes(body))
        else:
            self.transport.write(head)
            await self._send_long(body)

    async def _send_long(self, body: bytes | MemoryFile) -> None:
        """Send a body as fast as the client reads; `drop` ends it."""
        if not isinstance(body, MemoryFile) or self.tls:
            sending = self._send_pieces(body)
        elif (sent := self._send_at_once(body)) < len(body):
            sending = self._send_file(body, sent)
        else:
            return
        self._sending = self._loop.create_task(sending)
        await asyncio.wait([self._sending])
        if self._sending.cancelled() or self._sending.exception():
            self.transport.abort()
        self._sending = None

    def _send_at_once(self, body: MemoryFile) -> int:
        """Send what the kernel takes without waiting, in bytes: often all, and a task costs."""
        sent = 0
        if not self.transport.get_write_buffer_size():
            socket = self.transport.get_extra_info("socket")
            with suppress(OSError):  # the next try tells
                sent = os.sendfile(socket.fileno(), body.fileno(), 0, len(body))
        return sent

    async def _send_file(self, body: MemoryFile, start: int) -> None:
        file = cast("IO[bytes]", body)  # a descriptor is all that is needed
        await self._loop.sendfile(self.transport, file, start, fallback=False)

    async def _send_pieces(self, body: bytes | MemoryFile) -> None:
        for piece in pieces(body, _PIECE):
            self.transport.write(piece)
            await self._can_write.wait()

    def is_overdue(self) -> bool:
        """Whether it has been at what it is doing for too long."""
        return self._loop.time() - self.since > self._patience()

    def _patience(self) -> float:
        if self._is_answering():
            return ANSWER
        return RECEIVE if self._is_receiving else IDLE

    def _is_answering(self) -> bool:
        is_unread = self.is_open and self.transport.get_write_buffer_size() > 0
        return bool(self._questions) or is_unread

    def end(self) -> None:
        """End it after the answer that is under way, if one is."""
        self._has_read_all = True
        if self._questions:
            self._questions = deque([self._questions[0]._replace(is_last=True)])
        elif self._is_answering():
            self.transport.close()
        else:
            self.drop()

    def drop(self) -> None:
        """End it at once, whatever it is doing."""
        if self._sending:  # or its descriptor would be watched after it is closed
            self._sending.cancel()
        if self.is_open:
            self.transport.abort()
        else:
            self.opening.cancel()


def _now() -> bytes:
    """The time as HTTP writes it."""
    return _written(int(time.time()))


@lru_cache(maxsize=1)
def _written(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
