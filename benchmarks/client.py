"""A scraper with as little overhead as possible: one kept-alive socket and a stopwatch."""

from __future__ import annotations

import re
import socket
import ssl
import time
from statistics import median
from typing import Final, NamedTuple, Self

AS_PROMETHEUS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
PLAIN: Final = {"Accept": "text/plain"}
_INITIAL_BUFFER: Final = 1 << 20  # bytes
_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: ([0-9]+)")
_CHUNKED: Final = b"\r\ntransfer-encoding: chunked"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Response(NamedTuple):
    """A body as received, and the seconds from the request to its last byte."""

    body: bytes
    seconds: float


def connect(port: int, tls: ssl.SSLContext | None, timeout: float) -> socket.socket:
    """A connection, encrypted if there is a context.

    Raises:
        OSError: it was refused, or closed during the handshake.
    """
    plain = socket.create_connection(("127.0.0.1", port), timeout)
    return tls.wrap_socket(plain) if tls else plain


def trusting_context() -> ssl.SSLContext:
    """The context of a client that trusts every server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Scraper:
    """Sends one request again and again, over one connection as long as the server keeps it."""

    def __init__(
        self,
        port: int,
        headers: dict[str, str],
        path: str = "/metrics",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        fields = {"Host": "127.0.0.1"} | headers
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self._request = "\r\n".join([*lines, "", ""]).encode()
        self._port = port
        self._tls = tls
        self._socket: socket.socket | None = None
        self._buffer = bytearray(_INITIAL_BUFFER)  # reused: fresh memory would cost page faults

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def scrape(self) -> Response:
        """One scrape.

        Raises:
            OSError: the connection failed.
            ValueError: the status is not 200.
        """
        start = time.perf_counter()
        if self._socket is None:
            self._socket = connect(self._port, self._tls, timeout=60)
        self._socket.sendall(self._request)
        length = self._receive(self._socket)
        seconds = time.perf_counter() - start
        head, _, body = bytes(self._buffer[:length]).partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1] != b"200":
            self._close()
            raise ValueError(head.decode("latin-1"))
        if b"\r\nconnection: close" in head.lower() or head.startswith(b"HTTP/1.0"):
            self._close()
        return Response(body, seconds)

    def median_seconds(self, scrapes: int) -> float:
        """The median duration of that many scrapes."""
        return median(self.scrape().seconds for _ in range(scrapes))

    def _close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _receive(self, connection: socket.socket) -> int:
        """Read a response up to its content length, last chunk or end of stream; its length."""
        received, length = 0, -1
        while received != length:
            if received == len(self._buffer):
                self._buffer.extend(bytes(received))
            with memoryview(self._buffer) as view, view[received:] as free:
                count = connection.recv_into(free)
            if not count:
                break
            received += count
            length = self._total_length(received) if length < 0 else length
        if not received:
            raise ConnectionError("closed without a response")
        return received

    def _total_length(self, received: int) -> int:
        """Length of the whole response; -1 while unknown."""
        end = self._buffer.find(b"\r\n\r\n", 0, received)
        head = bytes(self._buffer[: max(end, 0)]).lower()
        if found := _CONTENT_LENGTH.search(head):
            return end + 4 + int(found[1])
        tail = self._buffer[received - len(_LAST_CHUNK) : received]
        return received if _CHUNKED in head and tail == _LAST_CHUNK else -1
