"""A server in the test's own process, and clients that send it raw bytes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from self_signed import certificate

from exporter.server.messages import Request, Response, text_response
from exporter.server.server import Server
from exporter.web.web_config.schema import TlsServerConfig
from exporter.web.web_config.tls import create_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from exporter.server.messages import Handler
    from exporter.server.protocol import Connection
    from exporter.server.tls import Certificate, Tls

SERVER_CERTIFICATE = certificate("server")
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class RawHttpClient(asyncio.Protocol):
    """The client's end of a connection; how the server ends it is not an error."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._is_closed = False
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # a reset, where the server has not read all that was sent
        self._is_closed = True
        self._changed.set()

    def write(self, raw: bytes) -> None:
        self.transport.write(raw)

    async def read_until(self, mark: bytes) -> bytes:
        """What is received up to the mark, or up to the end of the connection."""
        while mark not in self._received and not self._is_closed:
            self._changed.clear()
            await self._changed.wait()
        before, found, self._received = self._received.partition(mark)
        return bytes(before + found)

    async def read_all(self) -> bytes:
        """What is received until the connection ends."""
        while not self._is_closed:
            self._changed.clear()
            await self._changed.wait()
        return bytes(self._received)

    def reset(self) -> None:
        """End the connection with a reset, so that the server learns of it at once."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.transport.abort()


@asynccontextmanager
async def open_client(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawHttpClient]:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(RawHttpClient, "127.0.0.1", port, ssl=tls)
    try:
        yield client
    finally:
        client.transport.abort()


class FakeClock:
    """Monotonic seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class RunningServer(NamedTuple):
    """A server and its port."""

    server: Server
    port: int

    def client(
        self, tls: ssl.SSLContext | None = None
    ) -> AbstractAsyncContextManager[RawHttpClient]:
        return open_client(self.port, tls)

    async def connection(self) -> Connection:
        """The only connection, once it is open."""
        await wait_until(lambda: len(self.server.connections) == 1)
        (connection,) = self.server.connections
        return connection

    async def send(self, raw: bytes = LAST_GET, tls: ssl.SSLContext | None = None) -> bytes:
        """Everything that is received until the connection ends."""
        async with self.client(tls) as client:
            client.write(raw)
            return await client.read_all()


@dataclass(frozen=True)
class ServerTls:
    """TLS settings that allow every client, or none."""

    context: ssl.SSLContext
    allows_clients: bool = True

    def allows(self, certificate: Certificate | None) -> bool:
        del certificate
        return self.allows_clients


def server_tls(*, allows_clients: bool = True) -> ServerTls:
    pair = {"cert": SERVER_CERTIFICATE.cert, "key": SERVER_CERTIFICATE.key}
    return ServerTls(create_context(TlsServerConfig.model_validate(pair)), allows_clients)


async def echo(request: Request) -> Response:
    return text_response(200, f"{request.method} {request.path}")


class HeldHandler:
    """Answers as `echo` does, but only once it is released.

    Attributes:
        requests: what it was asked.
        is_cancelled: whether it was cancelled while it waited.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.release = asyncio.Event()
        self.is_cancelled = False

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        return await echo(request)

    async def called(self) -> None:
        """Wait until it has been asked."""
        await wait_until(lambda: bool(self.requests))


@asynccontextmanager
async def running_server(
    handler: Handler = echo,
    tls: Tls | Callable[[], Tls | None] | None = None,
    max_connections: int = 100,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[RunningServer]:
    """A server on a free port, which does not look for overdue connections by itself."""
    listener = socket.create_server(("127.0.0.1", 0))
    provider = tls if callable(tls) else lambda: tls
    server = Server(handler, provider, max_connections, clock or FakeClock())
    server.start([listener])
    try:
        yield RunningServer(server, listener.getsockname()[1])
    finally:
        await server.shut_down()


def status_code(response: bytes) -> int:
    """The status of a response; 0 where there is none."""
    return int(response.split(b" ", 2)[1]) if response else 0


async def run_loop() -> None:
    """Let everything run that can."""
    for _ in range(500):
        await asyncio.sleep(0)


async def wait_until(is_reached: Callable[[], bool]) -> None:
    """Let the event loop run until that is so."""
    async with asyncio.timeout(5):
        while not is_reached():  # noqa: ASYNC110  a test's condition has no event
            await asyncio.sleep(0)
