"""One connection: its requests are answered one after the other, each within its time.

    TLS handshake, and sending a request ............ REQUEST_TIMEOUT
    waiting for the response, and reading it ........ RESPONSE_TIMEOUT
    idle until the next request ..................... KEEPALIVE_TIMEOUT

While a request is answered, at most one piece of what follows it is read. While anything waits to
be sent, nothing is read. So a client that sends much and reads little costs little memory.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from email.utils import formatdate
from enum import Enum
from io import BytesIO
from typing import TYPE_CHECKING, Final

from exporter.server.messages import Request, Response, text_response
from exporter.server.parser import BadRequestError, RequestParser
from exporter.server.tls import TlsSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.server.messages import Handler
    from exporter.server.tls import Tls

_log = logging.getLogger(__name__)

REQUEST_TIMEOUT: Final = 10.0
RESPONSE_TIMEOUT: Final = 30.0
KEEPALIVE_TIMEOUT: Final = 120.0
READ_SIZE: Final = 8 * 1024  # bytes received at once
WRITE_SIZE: Final = 32 * 1024  # bytes of a response that wait in memory for a slow client


_INTERNAL_ERROR: Final = "Internal server error; the log says more."


class _Phase(Enum):
    """What a connection does, by how long it may take."""

    RECEIVING = REQUEST_TIMEOUT
    ANSWERING = RESPONSE_TIMEOUT
    IDLE = KEEPALIVE_TIMEOUT


class Connection(asyncio.BufferedProtocol):
    """One connection, from accepting it to its end.

    Args:
        handler: answers requests.
        tls: how it is encrypted, or None.
        connections: all that are open: it adds and removes itself.
        tasks: those that answer: the same.
        clock: monotonic seconds.

    Attributes:
        since: when the connection began what it is doing.
        closed: done when the connection has ended.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        handler: Handler,
        tls: Tls | None,
        connections: set[Connection],
        tasks: set[asyncio.Task[None]],
        clock: Callable[[], float],
    ) -> None:
        self._handler = handler
        self._tls = tls
        self._session = TlsSession(tls.context) if tls else None
        self._connections = connections
        self._tasks = tasks
        self._clock = clock
        self._parser = RequestParser()
        self._buffer = bytearray()
        self._received = BytesIO()  # plaintext that is not parsed yet
        self._is_last = False  # nothing that is received from now on is answered
        self._is_eof = False
        self._can_write = asyncio.Event()
        self._can_write.set()
        self.closed = asyncio.get_running_loop().create_future()
        self._enter(_Phase.RECEIVING)

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self.since = self._clock()

    def is_overdue(self) -> bool:
        """Whether it has been at what it is doing for too long."""
        return self._clock() - self.since > self._phase.value

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  it is a socket's
        self.transport = transport
        transport.set_write_buffer_limits(0)  # `pause_writing` as soon as anything waits
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc  # how a client leaves is not an error of ours
        self._connections.discard(self)
        self._can_write.set()
        self._parser.close()
        self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Wait until the client has read what was sent."""
        self._can_write.clear()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._can_write.set()
        if self._phase is not _Phase.ANSWERING:
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        """Whether to stay open: a client may end its own half and wait for the responses."""
        self._is_eof = True
        return self._phase is _Phase.ANSWERING and not self._session

    def get_buffer(self, sizehint: int) -> bytearray:
        """Room for what is received next, which only exists while it is received."""
        del sizehint
        self._buffer = bytearray(READ_SIZE)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Answer the next request, if this completes one."""
        data, self._buffer = bytes(self._buffer[:nbytes]), bytearray()
        if self._is_last:
            return
        try:
            self._receive(data)
        except Exception as error:  # noqa: BLE001  a defect ends this connection alone
            self._fail(error)

    def _receive(self, data: bytes) -> None:
        if self._session:
            data = self._decrypt(self._session, data)
        if data:
            self._received = BytesIO(self._received.read() + data)
        if self._phase is not _Phase.ANSWERING:
            self._read_request()
        elif data:
            self.transport.pause_reading()

    def _decrypt(self, session: TlsSession, data: bytes) -> bytes:
        was_established = session.is_established
        try:
            plaintext = session.decrypt(data)
        except ssl.SSLError:  # the client's affair; it is sent an alert
            self._is_last = True
            plaintext = b""
        self.transport.write(session.pending())
        if self._is_last:
            self.transport.close()
        elif session.is_established and not was_established:
            self._enter(_Phase.RECEIVING)
            if self._tls and not self._tls.allows(session.peer_certificate()):
                self.transport.abort()
        self._is_eof = session.is_over
        return plaintext

    def _read_request(self) -> None:
        """Have the next request answered, if it has been received; otherwise receive more."""
        if self.transport.is_closing():
            return
        try:
            parsed = self._parser.next_request(self._received)
        except BadRequestError as error:
            self._refuse(text_response(400, str(error)))
            return
        if parsed:
            self._is_last = not parsed.keep_alive
            self._enter(_Phase.ANSWERING)
            task = asyncio.get_running_loop().create_task(self._answer(parsed.request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self._is_eof:
            self._close()
        else:
            self._read_on()

    def _read_on(self) -> None:
        self._received = BytesIO()  # it has been parsed
        if self._phase is _Phase.IDLE and self._parser.has_begun:
            self._enter(_Phase.RECEIVING)
        self.transport.resume_reading()
        if self._parser.must_continue():
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _answer(self, request: Request) -> None:
        try:
            await self._send(request, await self._response(request))
            if self.transport.is_closing():
                return
            self._enter(_Phase.IDLE)
            if self._is_last:
                self._close()
            else:
                self._read_request()
        except Exception as error:  # noqa: BLE001  as above
            self._fail(error)

    async def _response(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except Exception as error:  # noqa: BLE001  a defect ends this request alone
            _log.error("request not answered", exc_info=error)
            return text_response(500, _INTERNAL_ERROR)

    async def _send(self, request: Request, response: Response) -> None:
        """Send it as fast as the client reads."""
        head = response.head(_http_date(), closes=self._is_last)
        body = memoryview(b"" if request.method == "HEAD" else response.body)
        self._write(head + body[:WRITE_SIZE])
        for start in range(WRITE_SIZE, len(body), WRITE_SIZE):
            await self._can_write.wait()
            self._write(body[start : start + WRITE_SIZE])
        await self._can_write.wait()

    def _write(self, data: bytes | memoryview) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._session.encrypt(data) if self._session else data)

    def _fail(self, error: Exception) -> None:
        """End it after a defect of the server itself, with a response where none has begun."""
        _log.error("connection failed", exc_info=error)
        if self._phase is _Phase.ANSWERING:
            self.abort()
            return
        try:
            self._refuse(text_response(500, _INTERNAL_ERROR))
        except Exception:  # noqa: BLE001  the defect may be where that is encrypted
            self.abort()

    def _refuse(self, response: Response) -> None:
        self._write(response.head(_http_date(), closes=True) + response.body)
        self._close()

    def _close(self) -> None:
        self._is_last = True
        if self._session and not self.transport.is_closing():
            self.transport.write(self._session.close())
        self.transport.close()

    def shut_down(self) -> None:
        """End it after the response that is under way, if one is."""
        self._is_last = True
        if self._phase is not _Phase.ANSWERING:
            self._close()

    def abort(self) -> None:
        """End it at once, whatever it is doing."""
        self._connections.discard(self)
        self.transport.abort()


def _http_date() -> bytes:
    return formatdate(time.time(), usegmt=True).encode()
