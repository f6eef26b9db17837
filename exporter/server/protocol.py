"""One connection: its requests are answered one after the other, each step within its time.

Requests that are sent without waiting for responses share the time of the first, so that a client
that never waits becomes the oldest, and is ended before others.

Nothing is read while a request is answered, and nothing is kept that the kernel does not take yet:
a client that sends much and reads little costs little memory. asyncio's transports are not used,
since each leaves a reference cycle behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from email.utils import formatdate
from enum import Enum
from io import BytesIO
from typing import TYPE_CHECKING, Final

from exporter.server.messages import Request, Response, text_response
from exporter.server.parser import BadRequestError, RequestParser
from exporter.server.tls import RECORD_SIZE, TlsSession

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from exporter.server.messages import Handler
    from exporter.server.tls import Tls

_log = logging.getLogger(__name__)

READ_SIZE: Final = 8 * 1024  # bytes received at once


class _Phase(Enum):
    """What a connection does, and for how many seconds at most."""

    RECEIVING = 10.0  # the TLS handshake; then a request
    ANSWERING = 30.0  # until the client has read the response
    IDLE = 120.0  # until the next request begins


class Connection:
    """One connection that has been accepted.

    Args:
        client: the socket, non-blocking.
        handler: answers requests.
        tls: how the connection is encrypted, or None.
        clock: monotonic seconds.

    Attributes:
        since: when the connection began what it is doing.
    """

    def __init__(
        self,
        client: socket.socket,
        handler: Handler,
        tls: Tls | None,
        clock: Callable[[], float],
    ) -> None:
        self._socket = client
        self._handler = handler
        self._session = TlsSession(tls) if tls else None
        self._clock = clock
        self._parser = RequestParser()
        self._received = BytesIO()  # plaintext that is not parsed yet
        self._is_last = False
        self._enter(_Phase.RECEIVING)

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self.since = self._clock()

    def is_overdue(self) -> bool:
        """Whether it has been at what it is doing for too long."""
        return self._clock() - self.since > self._phase.value

    def finish(self) -> bool:
        """End it after the response that is under way; whether one is."""
        self._is_last = True
        return self._phase is _Phase.ANSWERING

    def close(self) -> None:
        """Close the socket, once nothing serves it any more."""
        self._parser.close()
        with suppress(OSError):
            if self._session:
                self._socket.send(self._session.close())
        self._socket.close()

    async def serve(self) -> None:
        """Answer requests until the client or the server has no more."""
        try:
            if self._session:
                await self._handshake(self._session)
            await self._answer_requests()
        except OSError:
            pass  # disconnects are not errors; TLS errors are OSErrors
        except Exception as error:  # noqa: BLE001  a defect ends this connection alone
            _log.error("connection failed", exc_info=error)

    async def _answer_requests(self) -> None:
        try:
            while not self._is_last and (request := await self._next_request()):
                if self._phase is not _Phase.ANSWERING:
                    self._enter(_Phase.ANSWERING)
                self._is_last |= not request.keep_alive
                response = await self._response(request)
                await self._send_response(response, with_body=request.method != "HEAD")
        except BadRequestError as error:
            self._is_last = True
            await self._send_response(text_response(400, str(error)))

    async def _handshake(self, session: TlsSession) -> None:
        while not session.is_established:
            if not (data := await self._read()):
                raise ConnectionError
            self._received = BytesIO(await self._decrypt(session, data))
        self._enter(_Phase.RECEIVING)

    async def _next_request(self) -> Request | None:
        """The next request; None where the client sends nothing more."""
        if request := self._parser.next_request(self._received):
            await asyncio.sleep(0)  # however many were received at once, other clients come first
        while not request:
            if self._phase is _Phase.IDLE and self._parser.has_begun:
                self._enter(_Phase.RECEIVING)
            if self._parser.must_continue():
                await self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            if not (data := await self._receive()):
                return None
            self._received = BytesIO(data)
            request = self._parser.next_request(self._received)
        return request

    async def _response(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except Exception as error:  # noqa: BLE001  a defect ends this request alone
            _log.error("request not answered", exc_info=error)
            return text_response(500, "Internal server error; the log says more.")

    async def _send_response(self, response: Response, *, with_body: bool = True) -> None:
        date = formatdate(time.time(), usegmt=True).encode()
        head, body = response.head(date, closes=self._is_last), response.body if with_body else b""
        await self._send(head + body[:RECORD_SIZE])
        await self._send(memoryview(body)[RECORD_SIZE:])

    async def _send(self, data: bytes | memoryview) -> None:
        if not self._session:
            await self._write(data)
            return
        for start in range(0, len(data), RECORD_SIZE):
            await self._write(self._session.encrypt(data[start : start + RECORD_SIZE]))
            await asyncio.sleep(0)

    async def _receive(self) -> bytes:
        """Some plaintext; none where the client sends nothing more."""
        if not self._session:
            return await self._read()
        while not self._session.is_over and (data := await self._read()):
            if plaintext := await self._decrypt(self._session, data):
                return plaintext
        return b""

    async def _decrypt(self, session: TlsSession, data: bytes) -> bytes:
        try:
            return session.decrypt(data)
        finally:
            await self._write(session.pending())  # also an alert, where the client gets one

    async def _read(self) -> bytes:
        """Some bytes; none at the end. Lets other connections act in any case."""
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            if self._phase is _Phase.ANSWERING:
                self._enter(_Phase.RECEIVING if self._parser.has_begun else _Phase.IDLE)
            loop = asyncio.get_running_loop()
            await self._wait(loop.add_reader, loop.remove_reader)
            return self._socket.recv(READ_SIZE)
        await asyncio.sleep(0)
        return data

    async def _write(self, data: bytes | memoryview) -> None:
        loop, left = asyncio.get_running_loop(), memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                await self._wait(loop.add_writer, loop.remove_writer)

    async def _wait(self, add: Callable[..., None], remove: Callable[[int], object]) -> None:
        """Wait until the socket can be read from or written to."""
        ready, descriptor = asyncio.Event(), self._socket.fileno()
        add(descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            remove(descriptor)
