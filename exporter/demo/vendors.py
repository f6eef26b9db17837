"""Both simulated vendors on one port: routing, request counts, injected faults, the server."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from exporter.demo import affinda, xtracta
from exporter.demo.messages import Request, SimulatedResponse
from exporter.server.messages import Response
from exporter.server.server import Server
from exporter.server.sockets import bound_sockets, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.demo.accounts import Accounts
    from exporter.server.messages import Request as HttpRequest

__all__ = ["Request", "SimulatedResponse", "Vendors"]

_LOG_SIZE: Final = 1000


class Vendors:
    """The two vendor APIs.

    Args:
        accounts: may be replaced at any time.
        before: is called with each request; a response from it is sent instead of the vendor's.

    Attributes:
        calls: number of requests by path and account (the first organization or the own group
            of the request's key; empty for an unknown key).
        log: the last 1000 requests.
    """

    def __init__(
        self,
        accounts: Accounts,
        before: Callable[[Request], SimulatedResponse | None] = lambda _: None,
    ) -> None:
        self.accounts = accounts
        self.before = before
        self.calls: Counter[tuple[str, str]] = Counter()
        self.log: deque[Request] = deque(maxlen=_LOG_SIZE)

    def answer(self, request: Request) -> SimulatedResponse:
        """The response of the vendor to which the path belongs, without a network."""
        vendor = xtracta if request.path.startswith("/v1/") else affinda
        self.calls[request.path, vendor.account(self.accounts, request)] += 1
        self.log.append(request)
        return self.before(request) or vendor.respond(self.accounts, request)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve on a socket while the context lasts; gives the base URL."""
        (listener,) = bound_sockets([f"{host}:{port}"])
        server = Server(self._respond)
        server.start([listener])
        try:
            yield url_of(listener)
        finally:
            await server.shut_down(grace=0)

    async def _respond(self, http_request: HttpRequest) -> Response:
        simulated = self.answer(_request(http_request))
        await asyncio.sleep(simulated.delay)
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in simulated.headers.items()
        ]
        return Response(simulated.status, simulated.content_type, simulated.body, tuple(headers))


def _request(http_request: HttpRequest) -> Request:
    return Request(
        method=http_request.method,
        path=http_request.path,
        query=dict(parse_qsl(http_request.query.decode("latin-1"))),
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in http_request.headers
        },
        form=dict(parse_qsl(http_request.body.decode("latin-1"))),
    )
