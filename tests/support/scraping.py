"""A server in the test's own process, and clients that speak to it in raw bytes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from self_signed import certificate

from exporter.web.accepting import Server
from exporter.web.basic_auth import Passwords
from exporter.web.middleware import Guard
from exporter.web.response import Request, Response, said
from exporter.web.web_config.models import WebConfig
from exporter.web.web_config.tls import Tls, context

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from exporter.web.connection import Connection
    from exporter.web.response import Answer

HERE = certificate("here")
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class Client(asyncio.Protocol):
    """The client's end of a connection: what came is kept, and no end is an error."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._is_over = False
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # a reset, where something that was sent is unread
        self._is_over = True
        self._news.set()

    def write(self, raw: bytes) -> None:
        self.transport.write(raw)

    async def until(self, mark: bytes) -> bytes:
        """What comes up to the mark, or up to the end."""
        while mark not in self._received and not self._is_over:
            self._news.clear()
            await self._news.wait()
        before, found, self._received = self._received.partition(mark)
        return bytes(before + found)

    async def rest(self) -> bytes:
        """What comes until the connection ends."""
        while not self._is_over:
            self._news.clear()
            await self._news.wait()
        return bytes(self._received)


@asynccontextmanager
async def client_of(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(Client, "127.0.0.1", port, ssl=tls)
    try:
        yield client
    finally:
        client.transport.abort()


class Served(NamedTuple):
    """A running server and its port."""

    server: Server
    port: int

    def connected(self, tls: ssl.SSLContext | None = None) -> AbstractAsyncContextManager[Client]:
        return client_of(self.port, tls)

    async def held(self) -> Connection:
        """The one connection that there is, once it is open."""
        await settled(lambda: len(self.server.held) == 1)
        (held,) = self.server.held
        await settled(lambda: held.is_open)
        return held

    async def ask(self, raw: bytes = LAST, tls: ssl.SSLContext | None = None) -> bytes:
        """Everything that comes back until the connection ends."""
        async with self.connected(tls) as client:
            client.write(raw)
            return await client.rest()


async def hello(request: Request) -> Response:
    return said(200, f"{request.method} {request.path}")


@asynccontextmanager
async def served(
    answer: Answer = hello, web: Callable[[], WebConfig] = WebConfig, most: int = 100
) -> AsyncIterator[Served]:
    """Serves on a free port, without the server's looks at what takes too long."""
    bound = socket.create_server(("127.0.0.1", 0))
    passwords = Passwords()
    running = Server(Guard(answer, web, passwords).answer, lambda: web().tls, most)
    running.start([bound])
    try:
        yield Served(running, bound.getsockname()[1])
    finally:
        await running.shut_down()
        passwords.close()


def status_of(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


async def settled(reached: Callable[[], bool]) -> None:
    """Lets everything else run until that is so."""
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110  what is looked at has no event
            await asyncio.sleep(0)


def encrypted() -> WebConfig:
    made = context(HERE.cert.encode(), HERE.key.encode(), None, "NoClientCert", ("TLS12", "TLS13"))
    return WebConfig(tls=Tls(made, None))
