"""A peer that sends exactly the bytes it is told to, when it is told to, and counts who came."""

from __future__ import annotations

import asyncio
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
    """What a peer does beside sending."""

    HANG = "sends nothing more, and stays until the client goes"
    RESET = "ends the connection the hard way"


Step: TypeAlias = "bytes | float | Move"
"""Bytes to send, seconds to wait, or a move."""


@dataclass
class Peer:
    """Where a peer is, what it was sent, and who is still connected."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def is_left(self) -> None:
        """Wait until every client has closed its connection."""
        async with asyncio.timeout(5):
            while self.connections:
                await asyncio.wait(self.connections)


@asynccontextmanager
async def peer(
    script: Callable[[bytes], Iterable[Step]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Peer]:
    """Serve on loopback; `script` makes the steps that answer a request."""
    listener = socket.create_server(("127.0.0.1", 0))
    here = Peer(listener.getsockname()[1])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        here.connections.add(task)
        # A client that goes away in the middle is what some scripts are for.
        with suppress(OSError, EOFError):
            request = await _request(reader)
            here.requests.append(request)
            for step in script(request):
                await _done(step, reader, writer)
        writer.close()
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
