"""A server that sends exactly the scripted bytes at scripted times, and records its requests."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable


class Move(Enum):
    """What a server does other than sending."""

    HANG = "sends nothing more, and stays until the client goes"
    RESET = "ends the connection the hard way"


Step: TypeAlias = "bytes | float | Move"
"""Bytes to send, seconds to wait, or a move."""


@dataclass
class Peer:
    """Where a peer is, what it was sent, and who is still connected."""

    port: int
    scheme: str = "http"
    requests: list[bytes] = field(default_factory=list)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def is_left(self) -> None:
        """Wait until every client has closed its connection."""
        async with asyncio.timeout(5):
            while self.connections:
                await asyncio.wait(self.connections)


@asynccontextmanager
async def peer(
    script: Callable[[bytes], Iterable[Step]],
    tls: ssl.SSLContext | None = None,
    greeting: bytes = b"",
    listener: socket.socket | None = None,
) -> AsyncIterator[Peer]:
    """Serve on loopback; `script` makes the steps that answer a request.

    Args:
        script: given the request.
        tls: the server's side of TLS, where it has one.
        greeting: bytes to send before any request.
        listener: where to serve, in place of a new socket.
    """
    listener = listener or socket.create_server(("127.0.0.1", 0))
    here = Peer(listener.getsockname()[1], "https" if tls else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        here.connections.add(task)
        # A client that goes away in the middle is what some scripts are for.
        with suppress(OSError, EOFError):
            writer.write(greeting)
            request = await _request(reader)
            here.requests.append(request)
            for step in script(request):
                await _done(step, reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        here.connections.discard(task)

    server = await asyncio.start_server(serve, sock=listener, ssl=tls)
    try:
        yield here
        await here.is_left()
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


async def _done(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if isinstance(step, bytes):
        writer.write(step)
        await writer.drain()
    elif isinstance(step, float):
        await asyncio.sleep(step)
    elif step is Move.HANG:
        await reader.read()
    else:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


BODY = json.dumps(
    {
        "scope": "organization",
        "scopeIdentifier": "oRg1",
        "start": "2025-05-17",
        "end": "2026-05-17",
        "total": 9,
        "items": [{"date": "2026-05-17", "count": 9}],
    }
).encode()
LIST = b'[{"identifier": "oRg1", "name": "Acme"}]'


def response(body: bytes = BODY, status: bytes = b"200 OK", *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([b"HTTP/1.1 " + status, length, *headers, b"", body])


def head(*headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"", b""])


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def well_behaved(request: bytes) -> list[Step]:
    """Nine credits today, and a name."""
    return [response(BODY if b"/v3/usage" in request else LIST)]
