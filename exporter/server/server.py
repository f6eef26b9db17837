"""The server: accepts connections, and ends those that take too long or are too many.

When there are `MAX_CONNECTIONS`, the one that has been at what it does for longest is closed for
the next. A scrape takes milliseconds, so it is never that one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from exporter.server.protocol import Connection
from exporter.server.tls import ConnectionRejectedError

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterable

    from exporter.server.messages import Handler
    from exporter.server.tls import Tls

_log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 512
SHUTDOWN_GRACE: Final = 2.0  # seconds for responses that are under way when the server stops
_REAP_INTERVAL: Final = 1.0
_ACCEPT_RETRY: Final = 0.1  # seconds until it is tried again when descriptors ran out
_ACCEPT_ROUNDS: Final = 16  # of the event loop, until as many are accepted as may be open


class Server:
    """Serves on sockets that are bound already.

    Args:
        handler: answers requests.
        tls: how a new connection is encrypted, or None for not at all.
            Raises a ConnectionRejectedError while no connection may be accepted.
        max_connections: how many may be open at the same time.
        clock: monotonic seconds.

    Attributes:
        connections: those that are open, with the tasks that serve them.
    """

    def __init__(
        self,
        handler: Handler,
        tls: Callable[[], Tls | None] = lambda: None,
        max_connections: int = MAX_CONNECTIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connections: dict[Connection, asyncio.Task[None]] = {}
        self._handler = handler
        self._tls = tls
        self._max_connections = max_connections
        self._clock = clock
        self._accepting: dict[socket.socket, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def serving(self, listeners: Iterable[socket.socket]) -> AsyncIterator[None]:
        """Serve for as long as the context lasts."""
        self.start(listeners)
        reaping = asyncio.create_task(self._reap(), name="reap connections")
        try:
            yield
        finally:
            reaping.cancel()
            await self.shut_down()

    def start(self, listeners: Iterable[socket.socket]) -> None:
        """Accept connections on `listeners`, too."""
        for listener in listeners:
            listener.setblocking(False)  # noqa: FBT003  the socket's own signature
            self._accepting[listener] = asyncio.create_task(self._accept(listener), name="accept")

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAP_INTERVAL)
            self.abort_overdue()

    def abort_overdue(self) -> None:
        """End the connections that have taken too long."""
        for connection, task in self.connections.items():
            if connection.is_overdue():
                task.cancel()

    async def shut_down(self, grace: float = SHUTDOWN_GRACE) -> None:
        """Accept nothing more, finish what is under way within `grace` seconds, end the rest."""
        for listener, accepting in self._accepting.items():
            accepting.cancel()
            listener.close()
        for connection, task in self.connections.items():
            if not connection.finish():
                task.cancel()
        if self.connections:
            _, stuck = await asyncio.wait(self.connections.values(), timeout=grace)
            for task in stuck:
                task.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        loop, accepted = asyncio.get_running_loop(), 0
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as error:
                reason = {"detail": error.strerror}
                _log.warning("connection not accepted", extra=reason, exc_info=error)
                evicted = self._evict_oldest()
                await (asyncio.wait([evicted]) if evicted else asyncio.sleep(_ACCEPT_RETRY))
            else:
                self._open(client)
                accepted += 1
                # However many clients connect at once, each is served before others evict it.
                if accepted % max(1, self._max_connections // _ACCEPT_ROUNDS) == 0:
                    await asyncio.sleep(0)

    def _open(self, client: socket.socket) -> None:
        if len(self.connections) >= self._max_connections:
            self._evict_oldest()
        try:
            connection = Connection(client, self._handler, self._tls(), self._clock)
        except ConnectionRejectedError:
            client.close()
        except Exception as error:  # noqa: BLE001  a defect ends this connection alone
            _log.error("connection not opened", exc_info=error)
            client.close()
        else:
            task = asyncio.create_task(connection.serve(), name="serve a connection")
            task.add_done_callback(partial(self._close, connection))
            self.connections[connection] = task

    def _close(self, connection: Connection, _: asyncio.Task[None]) -> None:
        self.connections.pop(connection, None)
        connection.close()

    def _evict_oldest(self) -> asyncio.Task[None] | None:
        """End the connection that has been at what it does for longest; its task, if any."""
        if not self.connections:
            return None
        task = self.connections.pop(min(self.connections, key=lambda each: each.since))
        task.cancel()
        return task
