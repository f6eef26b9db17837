"""Clients of an exporter, good and bad, each until it is told to stop."""

from __future__ import annotations

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import TYPE_CHECKING, Final

from benchmarks.client import AS_PROMETHEUS_ASKS, PLAIN, Scraper, connect

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

_HELD: Final = 40  # connections of those who dawdle
_QUESTION: Final = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_BEGINNINGS: Final = (
    b"",  # says nothing, then a letter at a time
    _QUESTION[:-2],  # asks, but never to the end
    _QUESTION,  # asks, and never reads the answer
    _QUESTION * 5,
    b"\x16\x03\x01\x00\xff\r\n\r\n",  # no HTTP
    _QUESTION.replace(b"\r\n\r\n", b"\r\nA: " + b"a" * 100_000 + b"\r\n\r\n"),
)


class Crowd:
    """Clients that scrape, and clients that dawdle, over TLS.

    Args:
        port: the exporter's.
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
    def around(self, *others: Callable[[threading.Event], None]) -> Iterator[None]:
        """Ask all the time while the context lasts, and have these act beside."""
        stop = threading.Event()
        acts = [self._as_prometheus, self._as_prometheus, self._plainly, self._dawdle, *others]
        with ThreadPoolExecutor(len(acts)) as pool:
            acting = [pool.submit(act, stop) for act in acts]
            try:
                yield
            finally:
                stop.set()
        for act in acting:
            act.result()

    def _as_prometheus(self, stop: threading.Event) -> None:
        self._scrape(stop, AS_PROMETHEUS_ASKS)

    def _plainly(self, stop: threading.Event) -> None:
        self._scrape(stop, PLAIN)

    def _scrape(self, stop: threading.Event, headers: dict[str, str]) -> None:
        with Scraper(self._port, headers, tls=self._tls) as scraper:
            while not stop.wait(0.1):
                try:
                    seconds = scraper.ask().seconds
                except (OSError, ValueError):
                    self._count("failed", 0)
                else:
                    self._count("scrapes", seconds)

    def _count(self, what: str, seconds: float) -> None:
        with self._lock:
            self.counts[what] += 1
            self.longest = max(self.longest, seconds)

    def _dawdle(self, stop: threading.Event) -> None:
        """Hold connections, each begun in another way and gone on with a letter at a time.

        Every second one is encrypted; the others break their handshakes off or never begin them.
        """
        held: deque[socket.socket] = deque()
        beginnings = cycle(
            (beginning, tls) for beginning in _BEGINNINGS for tls in (None, self._tls)
        )
        while not stop.wait(0.1):
            beginning, tls = next(beginnings)
            held.append(connect(self._port, tls, timeout=5))
            _send(held[-1], beginning)
            for client in held:
                _send(client, b"G")
            if len(held) > _HELD:
                held.popleft().close()
        for client in held:
            client.close()


def _send(client: socket.socket, words: bytes) -> None:
    with suppress(OSError):  # the exporter closes such connections sooner or later
        client.settimeout(0)
        client.send(words)
