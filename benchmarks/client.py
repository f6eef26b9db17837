"""A scraper with as little of its own as possible: a socket that is kept open, and a stopwatch."""

from __future__ import annotations

import socket
import time
from statistics import median
from typing import Final, NamedTuple, Self

AS_PROMETHEUS_ASKS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
PLAIN: Final = {"Accept": "text/plain"}
_CHUNK: Final = 1 << 20
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Reply(NamedTuple):
    """A body as it came, and the seconds from asking to its last byte."""

    body: bytes
    seconds: float


class Scraper:
    """Asks one address again and again, over one connection as long as the server keeps it."""

    def __init__(self, port: int, headers: dict[str, str], path: str = "/metrics") -> None:
        fields = {"Host": "127.0.0.1"} | headers
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self._question = "\r\n".join([*lines, "", ""]).encode()
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def ask(self) -> Reply:
        """One scrape.

        Raises:
            OSError: nobody answers.
            ValueError: the answer is no 200.
        """
        start = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.sendall(self._question)
        head, body = self._reply(self._socket)
        seconds = time.perf_counter() - start
        if head.split(b" ", 2)[1] != b"200":
            self._close()
            raise ValueError(head.decode("latin-1"))
        if b"\r\nconnection: close" in head.lower() or head.startswith(b"HTTP/1.0"):
            self._close()
        return Reply(body, seconds)

    def _close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    @staticmethod
    def _reply(connection: socket.socket) -> tuple[bytes, bytes]:
        """Head and body, up to the length that is named, the last chunk, or the end."""
        got = bytearray()
        while b"\r\n\r\n" not in got:
            more = connection.recv(_CHUNK)
            if not more:
                raise ConnectionError("closed before an answer")
            got += more
        head = bytes(got[: got.index(b"\r\n\r\n")])
        del got[: len(head) + 4]
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", -1))
        is_chunked = fields.get(b"transfer-encoding") == b"chunked"
        while len(got) != length and not (is_chunked and got.endswith(_LAST_CHUNK)):
            more = connection.recv(_CHUNK)
            if not more:
                break
            got += more
        return head, bytes(got)


def typical(scraper: Scraper, times: int) -> float:
    """The median of that many scrapes, in seconds."""
    return median(scraper.ask().seconds for _ in range(times))
