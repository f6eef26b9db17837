"""Asks a running exporter whether it is healthy: for images that have no shell and no curl."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from http import HTTPStatus
from typing import Final
from urllib.parse import SplitResult, urlsplit

from exporter.server.sockets import AddressError

TIMEOUT: Final = 5.0  # seconds to connect, and for each read
_LOOPBACK: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound to


def local_url(address: str, prefix: str) -> str:
    """Where an exporter of this listen address and path prefix says whether it is healthy.

    Raises:
        AddressError: if this is no address.
    """
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if port is None:
        raise AddressError(f"{address!r} is no address to ask at")
    host = _LOOPBACK.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{prefix}/-/healthy"


def problem(url: str, timeout: float = TIMEOUT) -> str | None:
    """What is wrong with the exporter at `url`, or None.

    An `http:` address that speaks TLS is asked that way, so that nobody has to say. Certificates
    are not checked: the question is whether the exporter answers, and nothing secret is sent. One
    that wants a password or a client's certificate first has answered.
    """
    try:
        return _found(urlsplit(url), timeout)
    except ValueError:  # also a port, or a host's name, that is none: found out when it is used
        return "that is no URL to ask"


def _found(parts: SplitResult, timeout: float) -> str | None:
    try:
        status = _status(parts, timeout, tls=parts.scheme == "https")
    except TimeoutError:
        return f"no answer within {timeout:g} seconds"
    except ssl.SSLError as error:
        # An alert comes from somebody who speaks TLS: TLS 1.2 wants the certificate at once.
        return None if "_ALERT_" in error.reason else f"no answer: {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        if parts.scheme == "http" and not isinstance(error, ConnectionRefusedError):
            return _found(parts._replace(scheme="https"), timeout)
        return f"no answer: {error}"
    return None if status in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED} else f"HTTP status {status}"


def _status(parts: SplitResult, timeout: float, *, tls: bool) -> int:
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout, context=_trusting())
        if tls
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    with closing(connection):
        connection.connect()
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status
        except (ssl.SSLError, ConnectionError):
            if tls:
                # Where a client's certificate is wanted, TLS 1.3 says so after the handshake.
                return HTTPStatus.UNAUTHORIZED
            raise


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
