"""TLS as a web configuration describes it in Go's words, made with OpenSSL's.

What Python's ssl module cannot do is refused, by the name of its key and with the reason.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.server.tls import Certificate

VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
CIPHER_SUITES: Final = {
    f"TLS_{exchange}_WITH_{go}": f"{prefix}{openssl}"
    for exchange, prefix in (
        ("ECDHE_ECDSA", "ECDHE-ECDSA-"),
        ("ECDHE_RSA", "ECDHE-RSA-"),
        ("RSA", ""),
    )
    for go, openssl in (
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
    if (exchange, openssl) != ("RSA", "CHACHA20-POLY1305")  # there is no such suite
}
CLIENT_AUTH: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class TlsError(Exception):
    """TLS cannot be had as it is described.

    Args:
        key: of `tls_server_config`, the one to change.
        message: what is wrong with it; never quotes a key or a certificate.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


@dataclass(frozen=True, slots=True)
class Tls:
    """How connections are encrypted.

    Args:
        context: for their handshakes.
        names: one of these has to be in the client's certificate; None where any client may come.
    """

    context: ssl.SSLContext
    names: frozenset[str] | None

    def allows(self, certificate: Certificate | None) -> bool:
        """Whether a client with this certificate, which its handshake has verified, may come in."""
        return self.names is None or not self.names.isdisjoint(names_in(certificate or {}))


def names_in(certificate: Certificate) -> Iterator[str]:
    """The alternative names of a certificate: DNS names, e-mail and IP addresses, URIs."""
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in {"DNS", "email", "URI"}:
            yield name
        elif kind == "IP Address":
            yield canonical(name)


def canonical(name: str) -> str:
    """`name`, an address of IP in the one way in which it is written when compared."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name


def context(
    certificate: bytes,
    key: bytes,
    authorities: bytes | None,
    client_auth: str,
    versions: tuple[str, str],
) -> ssl.SSLContext:
    """The context of a server.

    Args:
        certificate: PEM.
        key: PEM.
        authorities: PEM, of those who sign clients' certificates; None for the system's.
        client_auth: one of `CLIENT_AUTH`.
        versions: the least and the greatest of `VERSIONS`.

    Raises:
        TlsError: where any of them cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version, made.maximum_version = (VERSIONS[version] for version in versions)
    made.options |= ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    _load_pair(made, certificate, key)
    made.verify_mode = CLIENT_AUTH[client_auth]
    if authorities is not None:
        _load_authorities(made, authorities)
    elif made.verify_mode != ssl.CERT_NONE:
        made.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    return made


def set_cipher_suites(made: ssl.SSLContext, suites: Iterable[str], *, server_first: bool) -> None:
    """Have only these of `CIPHER_SUITES` for TLS 1.2, or the usual ones where there are none.

    Raises:
        TlsError: for one that this OpenSSL does not have.
    """
    names = [CIPHER_SUITES[suite] for suite in suites]
    for name in names:
        try:
            made.set_ciphers(name)  # alone, for in a list a missing one goes unnoticed
        except ssl.SSLError:
            raise TlsError("cipher_suites", f"this OpenSSL does not offer {name}") from None
    if names:
        made.set_ciphers(":".join(names))
    if not server_first:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def set_curve(made: ssl.SSLContext, curve: str) -> None:
    """Have only this of `CURVES` for the exchange of keys.

    Raises:
        TlsError: this OpenSSL does not have it.
    """
    try:
        made.set_ecdh_curve(CURVES[curve])
    except (ssl.SSLError, ValueError):
        raise TlsError("curve_preferences", "this OpenSSL does not offer the curve") from None


def _load_pair(made: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    try:
        with _as_file(certificate) as chain, _as_file(key) as private:
            # Without this OpenSSL would ask on the terminal.
            made.load_cert_chain(chain, private, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError("key", "is not the certificate's key") from None
        raise TlsError("cert", "is no certificate in PEM, or key is no key") from None


def _no_passphrase() -> str:
    raise TlsError("key", "is encrypted; it is needed without a passphrase")


def _load_authorities(made: ssl.SSLContext, authorities: bytes) -> None:
    try:
        made.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise TlsError("client_ca", "no certificates in PEM") from None


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path, since OpenSSL takes nothing else; in memory alone where the system can."""
    with (
        os.fdopen(os.memfd_create("pem"), "wb") if sys.platform == "linux" else TemporaryFile()
    ) as file:
        file.write(content)
        file.flush()
        yield f"/dev/fd/{file.fileno()}"
