"""Self-signed certificates for servers and clients, made once by the openssl command."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """A self-signed certificate: PEM, for `localhost`, of a key of its own."""

    cert: str
    key: str


@cache
def certificate(name: str, sans: str = "DNS:localhost", passphrase: str = "") -> Certificate:
    """The certificate of that name; the same for the same arguments."""
    hidden = ["-passout", f"pass:{passphrase}"] if passphrase else ["-noenc"]
    with tempfile.TemporaryDirectory() as folder:
        key, cert = Path(folder, "key.pem"), Path(folder, "cert.pem")
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 30"
        with_context = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={sans}"]
        written = ["-keyout", str(key), "-out", str(cert)]
        subprocess.run(  # noqa: S603  the words are ours
            [*command.split(), *with_context, *written, *hidden], check=True, capture_output=True
        )
        return Certificate(cert.read_text(), key.read_text())


def client_context(own: Certificate | None = None) -> ssl.SSLContext:
    """What a client needs to talk to any server, with a certificate of its own or without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if own:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "client.pem")
            path.write_text(own.cert + own.key)
            context.load_cert_chain(path)
    return context
