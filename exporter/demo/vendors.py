"""Both simulated vendors behind one port: routing, counting, injected faults, and the server."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from exporter.demo import affinda, xtracta
from exporter.demo.messages import Reply, Request
from exporter.server.messages import Response
from exporter.server.server import Server
from exporter.server.sockets import bound_sockets, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.demo.accounts import Accounts
    from exporter.server.messages import Request as Question

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
        self, accounts: Accounts, before: Callable[[Request], Reply | None] = lambda _: None
    ) -> None:
        self.accounts = accounts
        self.before = before
        self.calls: Counter[tuple[str, str]] = Counter()
        self.log: deque[Request] = deque(maxlen=_REMEMBERED)

    def answer(self, request: Request) -> Reply:
        """The reply of the vendor whose path it is, without any network."""
        vendor = xtracta if request.path.startswith("/v1/") else affinda
        self.calls[request.path, vendor.account(self.accounts, request)] += 1
        self.log.append(request)
        return self.before(request) or vendor.respond(self.accounts, request)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Answer on a real socket for as long as the context lasts; gives the base URL."""
        (listener,) = bound_sockets([f"{host}:{port}"])
        server = Server(self._respond)
        server.start([listener])
        try:
            yield url_of(listener)
        finally:
            await server.shut_down(grace=0)

    async def _respond(self, question: Question) -> Response:
        reply = self.answer(_request(question))
        await asyncio.sleep(reply.delay)
        raw = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in reply.headers.items()
        ]
        return Response(reply.status, reply.content_type, reply.body, tuple(raw))


def _request(question: Question) -> Request:
    return Request(
        method=question.method,
        path=question.path,
        query=dict(parse_qsl(question.query.decode("latin-1"))),
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in question.headers
        },
        form=dict(parse_qsl(question.body.decode("latin-1"))),
    )
