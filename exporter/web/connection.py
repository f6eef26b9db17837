"""One connection, and the time it has for what it is doing.

A client that is slow or stuck costs the others nothing, and is cut off:

    TLS handshake, and sending a request ......... RECEIVE seconds from its beginning
    waiting for the answer, and reading it ....... ANSWER seconds from the request's last byte
    idle until the next request .................. IDLE seconds from there

So is one whose request has no end, or who sends many without reading the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from exporter.web.tls import Tls

RECEIVE: Final = 10.0
ANSWER: Final = 30.0
IDLE: Final = 120.0
LONGEST_REQUEST: Final = 64 * 1024  # bytes
MOST_PIPELINED: Final = 8  # requests sent before the first is answered


class PipelineError(Exception):
    """Ends a connection that sends more requests than it reads answers."""


class Connection(HttpToolsProtocol):
    """One connection, from before its TLS handshake to its end.

    Args:
        config, state: uvicorn's.
        tls: how it is encrypted, or None.
        lost: told when the connection is no more.

    Attributes:
        opening: the task that makes a connection of a socket; set by who started it.
        is_open: whether that has succeeded.
        since: when the connection began what it is doing, by the loop's clock.
    """

    opening: asyncio.Task[None]

    def __init__(
        self,
        config: Config,
        state: ServerState,
        tls: Tls | None,
        lost: Callable[[Connection], None],
    ) -> None:
        super().__init__(config, state, {})
        self._lost = lost
        self._received = 0  # bytes since the last request ended
        self._is_receiving = True
        self._unanswered = 0  # requests
        self.tls = tls
        self.is_open = False
        self.since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it, too
        """Serve it, or end it."""
        super().connection_made(transport)
        self.is_open = True
        self.since = self.loop.time()
        if self.tls and not self.tls.admits(transport.get_extra_info("peercert")):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the request stays within its size."""
        if self.transport.is_closing():
            return
        self._received += len(data)
        super().data_received(data)
        if self._received > LONGEST_REQUEST and not self.transport.is_closing():
            self.send_400_response("Request too large.")

    def on_message_begin(self) -> None:
        """Start the clock of a request."""
        super().on_message_begin()
        if self._unanswered >= MOST_PIPELINED:
            raise PipelineError
        self._is_receiving = True
        self.since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Have it answered, or wait for those before it."""
        super().on_headers_complete()
        self._unanswered += 1

    def on_response_complete(self) -> None:
        """Turn to the next request, if there is one."""
        self._unanswered -= 1
        super().on_response_complete()

    def on_message_complete(self) -> None:
        """Start the clock of its answer."""
        super().on_message_complete()
        self._received = 0
        self._is_receiving = False
        self.since = self.loop.time()

    def is_overdue(self) -> bool:
        """Whether it has been at what it is doing for too long."""
        return self.loop.time() - self.since > self._patience()

    def _patience(self) -> float:
        if self._is_answering():
            return ANSWER
        return RECEIVE if self._is_receiving else IDLE

    def _is_answering(self) -> bool:
        return self._unanswered > 0 or (self.is_open and self.transport.get_write_buffer_size() > 0)

    def end(self) -> None:
        """End it after the answer that is under way, if one is."""
        if self._is_answering():
            self.shutdown()
        else:
            self.drop()

    def drop(self) -> None:
        """End it at once, whatever it is doing."""
        if self.is_open:
            self.transport.abort()
        else:
            self.opening.cancel()
