"""Which certificate authorities a vendor's certificate is checked against."""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import certifi

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_log = logging.getLogger(__name__)

# Where Linux distributions, Alpine and the BSDs keep their authorities, as Go's programs know it.
SYSTEM_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
)
SYSTEM_FOLDERS: Final = ("/etc/ssl/certs", "/etc/pki/tls/certs")


def ssl_context(ca_file: Path) -> ssl.SSLContext:
    """The TLS context with the authorities in a PEM file.

    Raises:
        OSError: the file cannot be read or holds no certificate.
    """
    context = _empty_context()
    context.load_verify_locations(ca_file)
    return context


def system_ssl_context(
    environ: Mapping[str, str],
    files: Iterable[str | Path] = SYSTEM_FILES,
    folders: Iterable[str | Path] = SYSTEM_FOLDERS,
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
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    sources = [*islice(_load_each(context, [file] if file else files), 1)]
    if folder:
        mounted = filter(None, folder.split(":"))
        sources += [each for each in mounted if [*_load_each(context, _files_in(each, "*"))]]
    else:  # hashed by the system: OpenSSL finds what it needs in them, when it needs it
        hashed = [each for each in folders if _files_in(each, "*.0")]
        for each in hashed:
            context.load_verify_locations(capath=each)
        sources += hashed
    if not sources and not (file or folder):
        context.load_verify_locations(certifi.where())
        sources = [certifi.where()]
    if sources:
        _log.debug("trusted authorities loaded", extra={"source": ", ".join(map(str, sources))})
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


def _files_in(folder: str | Path, pattern: str) -> list[Path]:
    """The files of a folder whose names match; none of one that cannot be read."""
    with suppress(OSError):
        return list(Path(folder).glob(pattern))
    return []


def _load_each(context: ssl.SSLContext, files: Iterable[str | Path]) -> Iterator[str | Path]:
    """Load each file that holds certificates; yields these files."""
    for file in files:
        with suppress(OSError):  # an SSLError is an OSError
            context.load_verify_locations(file)
            yield file
