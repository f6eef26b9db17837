"""Certificates of every kind, made by the openssl command for one test run."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG: Final = """
[ca]
default_ca = this
[this]
new_certs_dir = .
database = index.txt
serial = serial
default_md = sha256
policy = anything
unique_subject = no
email_in_dn = no
rand_serial = yes
[anything]
commonName = supplied
"""
_LONG_AGO: Final = ("20200101000000Z", "20200201000000Z")
_NOW: Final = ("20200101000000Z", "20991231235959Z")


@dataclass(frozen=True)
class Authority:
    """One that signs; `certificate` is what to trust.

    Args:
        folder: where everything is kept.
    """

    folder: Path

    @property
    def certificate(self) -> Path:
        """What to trust."""
        return self.folder / "ca.pem"

    @classmethod
    def new(cls, folder: Path) -> Authority:
        """A new one."""
        authority = cls(folder)
        (folder / "ca.cnf").write_text(_CONFIG)
        (folder / "index.txt").touch()
        authority._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "30"),
            *("-addext", "keyUsage = critical, keyCertSign, cRLSign"),  # Python 3.13 asks for it
        )
        return authority

    def server(self, name: str, *, expired: bool = False) -> ssl.SSLContext:
        """A server's side of TLS, with a certificate of this authority for `name`."""
        first, last = _LONG_AGO if expired else _NOW
        (self.folder / "san.cnf").write_text(
            f"subjectAltName = {name}\nauthorityKeyIdentifier = keyid\n"
        )
        self._openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"),
        )
        self._openssl(
            *("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"),
            *("-in", "server.csr", "-out", "server.pem", "-extfile", "san.cnf"),
            *("-startdate", first, "-enddate", last),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)  # noqa: S603, S607  fixed words
