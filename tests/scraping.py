"""A server in the test's own process, and clients that speak to it in raw bytes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from exporter.accepting import Server, server
from exporter.guard import Guard
from exporter.passwords import Passwords
from exporter.response import Request, Response, asgi, said
from exporter.webconfig import WebConfig

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from exporter.response import Answer

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class Client(NamedTuple):
    """The client's end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def rest(self) -> bytes:
        """What comes until the connection ends, well or not."""
        reply = b""
        with suppress(ConnectionError):  # reset, since something that was sent is unread
            while piece := await self.reader.read(2**16):
                reply += piece
        return reply


class Served(NamedTuple):
    """A running server and its port."""

    server: Server
    port: int

    @asynccontextmanager
    async def connected(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()

    async def ask(self, raw: bytes = LAST, tls: ssl.SSLContext | None = None) -> bytes:
        """Everything that comes back until the connection ends."""
        async with self.connected(tls) as client:
            client.writer.write(raw)
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
    running = server(asgi(Guard(answer, web, passwords).answer), lambda: web().tls)
    running.most = most
    await running.startup([bound])
    try:
        yield Served(running, bound.getsockname()[1])
    finally:
        await running.shutdown([bound])
        passwords.close()


def status_of(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])
