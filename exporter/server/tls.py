"""TLS on a connection, in memory: ciphertext in, plaintext out, and back.

asyncio's own TLS keeps 256 KiB for each connection, and reference cycles after its end.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Certificate: TypeAlias = "Mapping[str, Any]"
"""What `SSLObject.getpeercert()` gives."""

RECORD_SIZE: Final = 16 * 1024  # bytes: the largest piece that TLS encrypts at once


class ConnectionRejectedError(Exception):
    """No connection may be accepted at the moment."""


class Tls(Protocol):
    """How connections are encrypted, and whose."""

    @property
    def context(self) -> ssl.SSLContext:
        """For the server's side of handshakes."""

    def allows(self, certificate: Certificate | None) -> bool:
        """Whether a client with this certificate, which the handshake has verified, may connect."""


class TlsSession:
    """The server's side of one encrypted connection. It does no input or output.

    Args:
        tls: how it is encrypted.

    Attributes:
        is_established: whether the handshake is complete.
        is_over: whether the client sends nothing more.
    """

    def __init__(self, tls: Tls) -> None:
        self._allows = tls.allows
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_established = self.is_over = False

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext that is complete with this.

        Raises:
            OSError: the client speaks no TLS, or none that the context accepts, or is not allowed.
        """
        self._incoming.write(ciphertext)
        plaintext = bytearray()
        with suppress(ssl.SSLWantReadError):
            if not self.is_established:
                self._tls.do_handshake()
                if not self._allows(self._tls.getpeercert()):
                    raise ConnectionError
                self.is_established = True
            while piece := self._tls.read(RECORD_SIZE):
                plaintext += piece
            self.is_over = True
        return bytes(plaintext)

    def encrypt(self, plaintext: bytes | memoryview) -> bytes:
        """The ciphertext of at most `RECORD_SIZE` bytes, with what else is to be sent."""
        self._tls.write(plaintext)
        return self._outgoing.read()

    def pending(self) -> bytes:
        """What is to be sent for the protocol's own sake: handshake, alerts."""
        return self._outgoing.read()

    def close(self) -> bytes:
        """The notice that the server sends nothing more."""
        with suppress(ssl.SSLError):  # it does not wait for the client's, or there was no handshake
            self._tls.unwrap()
        return self._outgoing.read()
