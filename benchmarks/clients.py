"""Clients of an exporter, well-behaved and not, that run until they are stopped."""

from __future__ import annotations

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import TYPE_CHECKING, Final

from benchmarks.client import AS_PROMETHEUS, PLAIN, Scraper, connect

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

_SLOW_CONNECTIONS: Final = 40
_REQUEST: Final = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_SLOW_STARTS: Final = (
    b"",  # sends nothing at first, then one byte at a time
    _REQUEST[:-2],  # never completes its request
    _REQUEST,  # never reads the response
    _REQUEST * 5,
    b"\x16\x03\x01\x00\xff\r\n\r\n",  # not HTTP
    _REQUEST.replace(b"\r\n\r\n", b"\r\nA: " + b"a" * 100_000 + b"\r\n\r\n"),
)


class Clients:
    """Scrapers, and slow clients that hold connections open, over TLS.

    Args:
        port: the exporter's port.
        tls: the clients' context.

    Attributes:
        counts: `scrapes`, and those that `failed`.
        longest: seconds of the slowest scrape.
    """

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        self.counts: Counter[str] = Counter()
        self.longest = 0.0
        self._port = port
        self._tls = tls
        self._lock = threading.Lock()

    @contextmanager
    def running(self, *others: Callable[[threading.Event], None]) -> Iterator[None]:
        """Run all clients, and the `others` with them, until the context ends."""
        stop = threading.Event()
        prometheus, plain = self._scrape_as_prometheus, self._scrape_plain
        actions = [prometheus, prometheus, plain, self._hold_slow_connections, *others]
        with ThreadPoolExecutor(len(actions)) as pool:
            running = [pool.submit(action, stop) for action in actions]
            try:
                yield
            finally:
                stop.set()
        for each in running:
            each.result()

    def _scrape_as_prometheus(self, stop: threading.Event) -> None:
        self._scrape(stop, AS_PROMETHEUS)

    def _scrape_plain(self, stop: threading.Event) -> None:
        self._scrape(stop, PLAIN)

    def _scrape(self, stop: threading.Event, headers: dict[str, str]) -> None:
        with Scraper(self._port, headers, tls=self._tls) as scraper:
            while not stop.wait(0.1):
                try:
                    seconds = scraper.scrape().seconds
                except (OSError, ValueError):
                    self._count("failed", 0)
                else:
                    self._count("scrapes", seconds)

    def _count(self, what: str, seconds: float) -> None:
        with self._lock:
            self.counts[what] += 1
            self.longest = max(self.longest, seconds)

    def _hold_slow_connections(self, stop: threading.Event) -> None:
        """Open connections, each with another start, and send a byte at a time on all of them.

        Every second one is encrypted; the others never complete a handshake.
        """
        connections: deque[socket.socket] = deque()
        starts = cycle((start, tls) for start in _SLOW_STARTS for tls in (None, self._tls))
        while not stop.wait(0.1):
            start, tls = next(starts)
            connections.append(connect(self._port, tls, timeout=5))
            _send(connections[-1], start)
            for connection in connections:
                _send(connection, b"G")
            if len(connections) > _SLOW_CONNECTIONS:
                connections.popleft().close()
        for connection in connections:
            connection.close()


def _send(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # the exporter closes such connections sooner or later
        connection.settimeout(0)
        connection.send(data)
