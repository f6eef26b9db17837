"""The TLS settings of a web configuration: Go's names, applied to an `ssl.SSLContext`.

What Python's ssl module does not support is an error that names the key.
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
    from collections.abc import Collection, Iterator

    from exporter.server.tls import Certificate
    from exporter.web.web_config.schema import TlsServerConfig

VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
    "X25519MLKEM768": "X25519MLKEM768",
}
TLS13_SUITES: Final = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)
"""Accepted without effect, as in Go: the suites of TLS 1.3 cannot be chosen."""

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
    if (exchange, openssl) != ("RSA", "CHACHA20-POLY1305")  # does not exist
}
CLIENT_AUTH: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class TlsError(Exception):
    """Invalid TLS settings.

    Args:
        key: the key of `tls_server_config`.
        message: what is wrong with its value; never quotes a key or a certificate.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


@dataclass(frozen=True, slots=True)
class Tls:
    """How connections are encrypted, and which clients are allowed.

    Args:
        context: for the server's side of handshakes.
        allowed_names: the client's certificate must have one of these; None allows every client.
    """

    context: ssl.SSLContext
    allowed_names: frozenset[str] | None

    def allows(self, certificate: Certificate | None) -> bool:
        """Whether a client with this certificate, which the handshake has verified, is allowed."""
        if self.allowed_names is None:
            return True
        return not self.allowed_names.isdisjoint(alternative_names(certificate or {}))


def alternative_names(certificate: Certificate) -> Iterator[str]:
    """The alternative names of a certificate: DNS names, e-mail and IP addresses, URIs."""
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in {"DNS", "email", "URI"}:
            yield name
        elif kind == "IP Address":
            yield normalize_name(name)


def normalize_name(name: str) -> str:
    """`name`; an IP address in its canonical form."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name


def create_context(settings: TlsServerConfig) -> ssl.SSLContext:
    """The context of a server.

    Raises:
        TlsError: one of the settings is invalid or not supported.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.min_version]
    context.maximum_version = VERSIONS[settings.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not settings.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, settings.pem("cert") or b"", settings.pem("key") or b"")
    context.verify_mode = CLIENT_AUTH[settings.client_auth_type]
    client_ca = settings.pem("client_ca")
    if client_ca is not None:
        _load_client_ca(context, client_ca)
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    set_cipher_suites(context, settings.cipher_suites)
    set_curve(context, settings.curve_preferences)
    return context


def set_cipher_suites(context: ssl.SSLContext, suites: Collection[str]) -> None:
    """Allow only these of `CIPHER_SUITES` with TLS 1.2; OpenSSL's default suites if empty.

    Suites of TLS 1.3 have no effect, but a list that has no others disables TLS 1.2, as in Go.

    Raises:
        TlsError: this OpenSSL does not support one of them.
    """
    names = [CIPHER_SUITES[suite] for suite in suites if suite not in TLS13_SUITES]
    for name in names:
        try:
            context.set_ciphers(name)  # one by one: OpenSSL ignores unknown names in a list
        except ssl.SSLError:
            raise TlsError("cipher_suites", f"this OpenSSL does not support {name}") from None
    if names:
        context.set_ciphers(":".join(names))
    elif suites:
        context.minimum_version = ssl.TLSVersion.TLSv1_3


def set_curve(context: ssl.SSLContext, curves: Collection[str]) -> None:
    """Allow only the first of these `CURVES` that this OpenSSL supports; Python can set only one.

    Raises:
        TlsError: it supports none of them.
    """
    for curve in curves:
        try:
            context.set_ecdh_curve(CURVES[curve])
        except (ssl.SSLError, ValueError):
            continue
        return
    if curves:
        raise TlsError("curve_preferences", "this OpenSSL does not support the curve")


def _load_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    try:
        with _as_file(certificate) as certificate_path, _as_file(key) as key_path:
            # Without a callback OpenSSL would ask for a passphrase on the terminal.
            context.load_cert_chain(certificate_path, key_path, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError("key", "does not belong to the certificate") from None
        raise TlsError("cert", "invalid certificate or key; expected PEM") from None


def _no_passphrase() -> str:
    raise TlsError("key", "is encrypted; expected a key without a passphrase")


def _load_client_ca(context: ssl.SSLContext, client_ca: bytes) -> None:
    try:
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise TlsError("client_ca", "expected certificates in PEM") from None


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path with this content, for OpenSSL; only in memory where the system supports it."""
    with (
        os.fdopen(os.memfd_create("pem"), "wb") if sys.platform == "linux" else TemporaryFile()
    ) as file:
        file.write(content)
        file.flush()
        yield f"/dev/fd/{file.fileno()}"
