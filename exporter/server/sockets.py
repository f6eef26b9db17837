"""Listen addresses as Prometheus writes them, and the sockets bound to them."""

from __future__ import annotations

import re
import resource
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_ADDRESS: Final = ":10086"
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:\[\]]*)):([0-9]{1,5})")
_STREAM: Final = socket.SOCK_STREAM
_BACKLOG: Final = 1024  # a thousand scrapes at once are let in, not refused


class AddressError(Exception):
    """A listen address that is invalid or cannot be bound; the text is for the user."""


def bound_sockets(
    addresses: Iterable[str], has_dualstack: Callable[[], bool] = socket.has_dualstack_ipv6
) -> list[socket.socket]:
    """A listening socket for each `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (every interface).

    Args:
        addresses: as users write them.
        has_dualstack: whether one socket can serve IPv4 and IPv6.

    Raises:
        AddressError: for the first that cannot be bound; the others are closed.
    """
    everywhere = "::" if has_dualstack() else "0.0.0.0"  # noqa: S104  every interface, as requested
    with ExitStack() as opened:
        sockets = [opened.enter_context(_bound(each.strip(), everywhere)) for each in addresses]
        opened.pop_all()
    return sockets


def _bound(address: str, everywhere: str) -> socket.socket:
    match = _ADDRESS.fullmatch(address)
    if not match or int(match[3]) > 65_535:  # noqa: PLR2004  the largest port
        raise AddressError(f"invalid listen address {address!r}; expected HOST:PORT or :PORT")
    host, port = match[1] or match[2], int(match[3])
    try:
        family, *_, place = socket.getaddrinfo(host or everywhere, port, type=_STREAM)[0]
        is_dualstack = not host and family == socket.AF_INET6
        server = socket.create_server(
            place, family=family, dualstack_ipv6=is_dualstack, backlog=_BACKLOG
        )
    except OSError as error:
        # Python repeats the address in it.
        reason = str(error.strerror).partition(" (while ")[0]
        raise AddressError(f"cannot listen on {address}: {reason}") from None
    except UnicodeError:
        raise AddressError(f"cannot listen on {address}: invalid host name") from None
    # Inherited by its connections; asyncio sets it only on sockets that name their protocol, which
    # these do not. Without it, what follows the first piece of a response can wait 40 ms.
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def url_of(bound: socket.socket, *, tls: bool = False) -> str:
    """The URL at which a browser finds a socket."""
    scheme = "https" if tls else "http"
    host, port = bound.getsockname()[:2]
    if host in {"::", "0.0.0.0"}:  # noqa: S104  compared, not bound
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def raise_descriptor_limit() -> int:
    """Let the process have as many file descriptors as it may, as Go programs do; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS allows fewer than its hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
