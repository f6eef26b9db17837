"""A scraper with as little of its own as possible: a socket that is kept open, and a stopwatch."""

from __future__ import annotations

import re
import socket
import ssl
import time
from statistics import median
from typing import Final, NamedTuple, Self

AS_PROMETHEUS_ASKS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
PLAIN: Final = {"Accept": "text/plain"}
_ROOM: Final = 1 << 20  # bytes, to begin with
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ([0-9]+)")
_CHUNKED: Final = b"\r\ntransfer-encoding: chunked"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Reply(NamedTuple):
    """A body as it came, and the seconds from asking to its last byte."""

    body: bytes
    seconds: float


class Scraper:
    """Asks one address again and again, over one connection as long as the server keeps it."""

    def __init__(
        self,
        port: int,
        headers: dict[str, str],
        path: str = "/metrics",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        fields = {"Host": "127.0.0.1"} | headers
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self._question = "\r\n".join([*lines, "", ""]).encode()
        self._port = port
        self._tls = tls
        self._socket: socket.socket | None = None
        self._room = bytearray(_ROOM)  # the same for all replies: fresh memory takes longer to have

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
            self._socket = connect(self._port, self._tls, timeout=60)
        self._socket.sendall(self._question)
        length = self._receive(self._socket)
        seconds = time.perf_counter() - start
        head, _, body = bytes(self._room[:length]).partition(b"\r\n\r\n")
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

    def _receive(self, connection: socket.socket) -> int:
        """Take in a reply, up to the length that is named, the last chunk, or the end."""
        got, length = 0, -1
        while got != length:
            if got == len(self._room):
                self._room.extend(bytes(got))
            with memoryview(self._room) as view, view[got:] as free:
                count = connection.recv_into(free)
            if not count:
                break
            got += count
            length = self._length(got) if length < 0 else length
        if not got:
            raise ConnectionError("closed before an answer")
        return got

    def _length(self, got: int) -> int:
        """Bytes of the whole reply; -1 as long as that is not known."""
        end = self._room.find(b"\r\n\r\n", 0, got)
        head = bytes(self._room[: max(end, 0)]).lower()
        if found := _LENGTH.search(head):
            return end + 4 + int(found[1])
        is_last = _CHUNKED in head and self._room[got - len(_LAST_CHUNK) : got] == _LAST_CHUNK
        return got if is_last else -1


def connect(port: int, tls: ssl.SSLContext | None, timeout: float) -> socket.socket:
    """A connection, encrypted where a context is given.

    Raises:
        OSError: it is refused, or ended during the handshake.
    """
    plain = socket.create_connection(("127.0.0.1", port), timeout)
    return tls.wrap_socket(plain) if tls else plain


def trusting_context() -> ssl.SSLContext:
    """For a client that trusts every server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def typical(scraper: Scraper, times: int) -> float:
    """The median of that many scrapes, in seconds."""
    return median(scraper.ask().seconds for _ in range(times))
