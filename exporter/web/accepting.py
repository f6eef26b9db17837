"""The server: lets connections in, and sees to it that none takes what others need.

When there are as many connections as there may be, the one that has been at it longest makes room
for the next. A scrape takes milliseconds, so it is never that one.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from exporter.config.errors import ConfigError
from exporter.web.connection import RECEIVE, Connection
from exporter.web.descriptors import for_connections, limit

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterable

    from exporter.web.response import Answer
    from exporter.web.web_config.tls import Tls

_log = logging.getLogger(__name__)

GRACE: Final = 2.0  # seconds for answers that are under way when the exporter stops
MOST_ENCRYPTED: Final = 400  # connections, each of which takes 256 KiB of memory
_LAST: Final = 0.5  # seconds for what goes on without its client
_RETRY: Final = 0.1  # seconds until a connection is accepted again when descriptors ran out


class Server:
    """Serves on sockets that are bound already.

    Args:
        answer: answers requests.
        tls: how a new connection is to be encrypted, or None for not at all.
            Raises a ConfigError while no connection is to be let in.
        most: connections that may be held at the same time.

    Attributes:
        held: the connections there are.
        answering: the tasks that answer; some go on for a while without their connection.
    """

    def __init__(
        self, answer: Answer, tls: Callable[[], Tls | None] = lambda: None, most: int | None = None
    ) -> None:
        self.most = for_connections(limit()) if most is None else most
        self._answer = answer
        self._tls = tls
        self.held: dict[Connection, None] = {}
        self.answering: set[asyncio.Task[None]] = set()
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._is_alone = asyncio.Event()

    @asynccontextmanager
    async def serving(self, sockets: Iterable[socket.socket]) -> AsyncIterator[None]:
        """Serve for as long as the context lasts."""
        self.start(sockets)
        tidying = asyncio.create_task(self._tidy(), name="tidy")
        try:
            yield
        finally:
            tidying.cancel()
            await self.shut_down()

    def start(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on `sockets`, too."""
        for bound in sockets:
            bound.setblocking(False)  # noqa: FBT003  the socket's own signature
            self._sockets.append(bound)
            self._accepting.append(asyncio.create_task(self._accept(bound), name="accept"))

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.end_overdue()

    def end_overdue(self) -> None:
        """End what has taken too long."""
        for connection in [held for held in self.held if held.is_overdue()]:
            self._drop(connection)

    async def shut_down(self, grace: float = GRACE) -> None:
        """Let nobody in, finish what is under way within `grace` seconds, and end the rest."""
        for accepting in self._accepting:
            accepting.cancel()
        for bound in self._sockets:
            bound.close()
        for connection in tuple(self.held):
            connection.end()
        if self.held:
            self._is_alone.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_alone.wait(), grace)
        for connection in tuple(self.held):
            self._drop(connection)
        if self.answering:
            _, stuck = await asyncio.wait(self.answering, timeout=_LAST)  # without clients, few are
            for task in stuck:
                task.cancel()

    async def _accept(self, bound: socket.socket) -> None:
        loop, is_short = asyncio.get_running_loop(), False
        while True:
            try:
                client, _ = await loop.sock_accept(bound)
            except OSError as error:
                if not is_short:
                    _log.warning("connection not accepted", extra={"detail": error.strerror})
                is_short = True
                self._make_room()
                await asyncio.sleep(_RETRY)
                continue
            is_short = False
            self.open(client)
            await asyncio.sleep(0)  # whatever comes in, the others run, too

    def open(self, client: socket.socket) -> None:
        """Serve a new connection, unless the web configuration is broken."""
        try:
            tls = self._tls()
        except ConfigError:
            client.close()
            return
        if len(self.held) >= (min(self.most, MOST_ENCRYPTED) if tls else self.most):
            self._make_room()
        connection = Connection(self._answer, tls, self._remember, self._forget)
        opening = asyncio.create_task(_shake_hands(connection, client), name="open")
        # Also when it was cancelled before its first step, and owns no socket yet.
        opening.add_done_callback(lambda _: self._opened(connection, client))
        connection.opening = opening
        self.held[connection] = None

    def _make_room(self) -> None:
        if self.held:
            self._drop(min(self.held, key=lambda held: held.since))

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        connection.drop()

    def _opened(self, connection: Connection, client: socket.socket) -> None:
        if not connection.is_open:
            self._forget(connection)
            client.close()

    def _remember(self, answering: asyncio.Task[None]) -> None:
        self.answering.add(answering)
        answering.add_done_callback(self.answering.discard)

    def _forget(self, connection: Connection) -> None:
        self.held.pop(connection, None)
        if not self.held:
            self._is_alone.set()


async def _shake_hands(connection: Connection, client: socket.socket) -> None:
    timeout = RECEIVE if connection.tls else None
    with suppress(OSError):  # ssl's errors are some; a client's failure is its own affair
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection,
            client,
            ssl=connection.tls.context if connection.tls else None,
            ssl_handshake_timeout=timeout,
            ssl_shutdown_timeout=timeout,
        )
