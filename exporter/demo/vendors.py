"""Both simulated vendors behind one port: routing, counting, injected faults, and the server."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, deque
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import uvicorn

from exporter.demo import affinda, xtracta
from exporter.demo.exchange import Reply, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from exporter.demo.world import World

__all__ = ["Reply", "Request", "Vendors"]

_REMEMBERED: Final = 1000


class Vendors:
    """The two vendor APIs over one world.

    Args:
        world: what they know; may be replaced at any time.
        before: sees each request first; a reply from it is sent instead of the vendor's.

    Attributes:
        calls: how often each path was asked with which account's key (the key's first
            organization or own group; empty for a refused key).
        log: the last 1000 requests.
    """

    def __init__(
        self, world: World, before: Callable[[Request], Reply | None] = lambda _: None
    ) -> None:
        self.world = world
        self.before = before
        self.calls: Counter[tuple[str, str]] = Counter()
        self.log: deque[Request] = deque(maxlen=_REMEMBERED)

    def answer(self, request: Request) -> Reply:
        """The reply of the vendor whose path it is, without any network."""
        vendor = xtracta if request.path.startswith("/v1/") else affinda
        self.calls[request.path, vendor.account(self.world, request)] += 1
        self.log.append(request)
        return self.before(request) or vendor.respond(self.world, request)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Answer on a real socket for as long as the context lasts; gives the base URL."""
        listener = socket.create_server((host, port))
        url = f"http://{host}:{listener.getsockname()[1]}"
        server = _Server(
            uvicorn.Config(
                self._application,
                interface="asgi3",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
            )
        )
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield url
        finally:
            server.should_exit = True
            await serving

    async def _application(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        body = await _body(receive)
        if body is None:
            return
        reply = self.answer(_request(scope, body))
        if reply.delay and await _is_gone(receive, reply.delay):
            return
        headers = {
            "content-type": reply.content_type,
            "content-length": str(len(reply.body)),
            **reply.headers,
        }
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.body})


def _request(scope: dict[str, Any], body: bytes) -> Request:
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        },
        form=dict(parse_qsl(body.decode("latin-1"))),
    )


async def _body(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes | None:
    """The whole body; None when the client went away before its end."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message["body"])
        if not message["more_body"]:
            return body


async def _is_gone(receive: Callable[[], Awaitable[dict[str, Any]]], seconds: float) -> bool:
    """Whether the client goes away within that time, which the end of the server is as well."""
    try:
        await asyncio.wait_for(receive(), seconds)
    except TimeoutError:
        return False
    return True


class _Server(uvicorn.Server):
    """A server that leaves signals to the program and does not wait for those who hold on."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)
