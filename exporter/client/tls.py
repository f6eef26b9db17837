"""Which certificate authorities a vendor's certificate is checked against."""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import certifi

from exporter.files import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_log = logging.getLogger(__name__)

# Where Linux distributions, Alpine and the BSDs keep their authorities, as Go's programs know it.
SYSTEM_FILES: Final = tuple(
    map(
        Path,
        (
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem",
            "/etc/pki/tls/cacert.pem",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "/etc/ssl/cert.pem",
            "/usr/local/etc/ssl/cert.pem",
        ),
    )
)
SYSTEM_FOLDERS: Final = tuple(map(Path, ("/etc/ssl/certs", "/etc/pki/tls/certs")))


class CachedSSLContext:
    """The TLS context for a file of authorities, made again when the file changes.

    A file that becomes unusable changes nothing: the last good context stays.

    Args:
        ca_file: certificates in PEM format.

    Raises:
        OSError: the file cannot be read or holds no certificate.
    """

    def __init__(self, ca_file: Path) -> None:
        self._ca_file = ca_file
        self._fingerprint = fingerprint(ca_file)
        self._context = self._load()

    def get(self) -> ssl.SSLContext:
        """The context for what the file holds now."""
        current = fingerprint(self._ca_file)
        if current != self._fingerprint:
            self._fingerprint = current
            with suppress(OSError):  # an SSLError is an OSError
                self._context = self._load()
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = _empty_context()
        context.load_verify_locations(self._ca_file)
        return context


def system_ssl_context(
    environ: Mapping[str, str],
    files: Iterable[Path] = SYSTEM_FILES,
    folders: Iterable[Path] = SYSTEM_FOLDERS,
) -> ssl.SSLContext:
    """The TLS context with the system's authorities, found as Go's programs find them.

    `SSL_CERT_FILE` takes the place of the system's file, `SSL_CERT_DIR` (folders separated by
    colons; every file in them counts) of its folders. Only a system without any authorities gets
    those of the package certifi.

    Args:
        environ: environment variables.
        files: the system's files; the first usable one counts.
        folders: the system's folders.
    """
    context = _empty_context()
    file, folder = environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", "")
    sources = [*_load_first(context, [Path(file)] if file else files)]
    if folder:
        sources += _load_each(context, map(Path, filter(None, folder.split(":"))))
    else:  # hashed by the system: OpenSSL finds what it needs in them, when it needs it
        sources += _load_hashed(context, folders)
    if not sources and not (file or folder):
        context.load_verify_locations(certifi.where())
        sources = ["the package certifi"]
    if sources:
        _log.debug("trusted authorities loaded", extra={"source": ", ".join(sources)})
    else:
        _log.warning("SSL_CERT_FILE and SSL_CERT_DIR name no certificates: no vendor is trusted")
    return context


def _empty_context() -> ssl.SSLContext:
    """A client's context that trusts nobody yet.

    Not `ssl.create_default_context`: it writes session keys to `SSLKEYLOGFILE`, and since Python
    3.13 refuses authorities of inspecting proxies for details that no other client checks.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _load_first(context: ssl.SSLContext, files: Iterable[Path]) -> Iterator[str]:
    """Load the first usable file."""
    for file in files:
        with suppress(OSError):
            context.load_verify_locations(file)
            yield str(file)
            return


def _load_each(context: ssl.SSLContext, folders: Iterable[Path]) -> Iterator[str]:
    """Load every file in these folders that holds certificates."""
    for folder in folders:
        count = 0
        with suppress(OSError):
            for path in sorted(folder.iterdir()):
                with suppress(OSError):
                    context.load_verify_locations(path)
                    count += 1
        if count:
            yield str(folder)


def _load_hashed(context: ssl.SSLContext, folders: Iterable[Path]) -> Iterator[str]:
    """Have OpenSSL look into those of these folders that hold hashed certificates."""
    for folder in folders:
        if any(folder.glob("*.0")):
            context.load_verify_locations(capath=folder)
            yield str(folder)
