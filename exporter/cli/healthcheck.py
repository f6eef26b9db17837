"""`healthcheck`: checks that a running exporter is healthy, for images without shell and curl."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from exporter.cli.flags import Parser
from exporter.cli.output import write
from exporter.server.sockets import DEFAULT_ADDRESS, AddressError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT: Final = 5.0  # seconds to connect, and for each read
_LOOPBACK: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound to


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; its exit status is 0 if the exporter is healthy."""
    parser = Parser("healthcheck", "Check that a running exporter is healthy.", environ)
    parser.web_flags(DEFAULT_ADDRESS)
    parser.add_argument(
        "url", nargs="?", default="", metavar="URL", help="the exporter's URL or HOST:PORT"
    )
    flags = parser.parse(arguments)
    prefix = parser.route_prefix(flags)
    url = flags["url"] or flags["web.listen-address"][0]
    if "://" not in url:
        url = local_url(url, prefix)
    problem = find_problem(url)
    write(f"{url}: {problem or 'healthy'}")
    return 1 if problem else 0


def local_url(address: str, prefix: str) -> str:
    """The URL of the health endpoint of an exporter with this listen address and path prefix.

    Raises:
        AddressError: the address is invalid.
    """
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if port is None:
        raise AddressError(f'invalid address "{address}"; expected HOST:PORT')
    host = _LOOPBACK.get(host, host)
    netloc = f"[{host}]" if ":" in host else host
    return f"http://{netloc}:{port}{prefix}/-/healthy"


def find_problem(url: str, timeout: float = TIMEOUT) -> str | None:
    """What is wrong with the exporter at `url`, or None.

    If an `http:` URL turns out to speak TLS, TLS is used. Certificates are not verified: only
    whether the exporter responds matters, and nothing secret is sent. An exporter that requires a
    password or a client certificate has responded.
    """
    try:
        return _request(urlsplit(url), timeout)
    except ValueError:  # also an invalid port or host name, which is detected when it is used
        return "invalid URL"


def _request(parts: SplitResult, timeout: float) -> str | None:
    try:
        status = _status(parts, timeout, tls=parts.scheme == "https")
    except TimeoutError:
        return f"no response within {timeout:g} seconds"
    except ssl.SSLError as error:
        # An alert comes from a TLS peer: with TLS 1.2 it requires the certificate at once.
        return None if "_ALERT_" in error.reason else f"no response: {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        if parts.scheme == "http" and not isinstance(error, ConnectionRefusedError):
            return _request(parts._replace(scheme="https"), timeout)
        return f"no response: {error}"
    return None if status in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED} else f"HTTP status {status}"


def _status(parts: SplitResult, timeout: float, *, tls: bool) -> int:
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout, context=_unverified_context())
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
                # With TLS 1.3 a missing client certificate is reported after the handshake.
                return HTTPStatus.UNAUTHORIZED
            raise


def _unverified_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
