"""Addresses to serve on, as Prometheus writes them, and the sockets bound to them."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_ADDRESS: Final = ":10086"
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:\[\]]*)):([0-9]{1,5})")
_STREAM: Final = socket.SOCK_STREAM
_BACKLOG: Final = 1024  # a thousand scrapes at once are let in, not refused


class AddressError(Exception):
    """An address that cannot be served on, in words for the user."""


def bound_sockets(
    addresses: Iterable[str], has_both_families: Callable[[], bool] = socket.has_dualstack_ipv6
) -> list[socket.socket]:
    """A listening socket for each `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (every interface).

    Args:
        addresses: as written by people.
        has_both_families: whether one socket can serve IPv4 and IPv6.

    Raises:
        AddressError: for the first that cannot be; the others are closed.
    """
    everywhere = "::" if has_both_families() else "0.0.0.0"  # noqa: S104  asked for
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets.append(_bound(address.strip(), everywhere))  # noqa: PERF401  those before a failure are closed
    except AddressError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _bound(address: str, everywhere: str) -> socket.socket:
    match = _ADDRESS.fullmatch(address)
    if not match or int(match[3]) > 65_535:  # noqa: PLR2004  the largest port
        raise AddressError(f"{address!r} is no address to serve on; write HOST:PORT or :PORT")
    host, port = match[1] or match[2], int(match[3])
    try:
        family, *_, place = socket.getaddrinfo(host or everywhere, port, type=_STREAM)[0]
        is_both = not host and family == socket.AF_INET6
        server = socket.create_server(
            place, family=family, dualstack_ipv6=is_both, backlog=_BACKLOG
        )
    except OSError as error:
        # Python adds the address, which is said already.
        words = str(error.strerror).partition(" (while ")[0]
        raise AddressError(f"cannot serve on {address}: {words}") from None
    except UnicodeError:
        raise AddressError(f"cannot serve on {address}: that is no host's name") from None
    # Its connections take this over. asyncio sets it only where a socket names its protocol, which
    # these do not; without it the body waits 40 ms for the client to acknowledge the head.
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def url_of(bound: socket.socket, *, tls: bool = False) -> str:
    """Where a person's browser finds a socket."""
    scheme = "https" if tls else "http"
    host, port = bound.getsockname()[:2]
    if host in {"::", "0.0.0.0"}:  # noqa: S104  compared, not bound
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
