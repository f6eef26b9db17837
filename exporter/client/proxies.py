"""Which HTTP proxy a URL is requested through."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.models import Http

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(\[[^\]]+\]|[^:]+):([0-9]{1,5})")


def proxy_url(settings: Http, url: str, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy for `url`; None where it is requested directly."""
    if not settings.proxy_from_environment:
        return settings.proxy_url.reveal() if settings.proxy_url else None
    if is_excluded(url, _variable(environ, "no_proxy")):
        return None
    scheme = urlsplit(url).scheme
    address = _variable(environ, f"{scheme}_proxy") or _variable(environ, "all_proxy")
    return address if not address or "://" in address else f"http://{address}"


def _variable(environ: Mapping[str, str], name: str) -> str:
    """The variable; the lower-case form wins where both are set."""
    return environ.get(name, environ.get(name.upper(), "")).strip()


def is_excluded(url: str, no_proxy: str) -> bool:
    """Whether `NO_PROXY` excludes a URL.

    Args:
        url: with scheme and host.
        no_proxy: host names (their subdomains are excluded, too), addresses and ranges of
            addresses (`10.0.0.0/8`), each with a port or without; or `*` for everything.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    entries = no_proxy.lower().replace(",", " ").split()
    return any(_matches(entry, host, port) for entry in entries)


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    if match := _HOST_AND_PORT.fullmatch(entry):
        if int(match[2]) != port:
            return False
        entry = match[1]
    entry = entry.strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        domain = entry.removeprefix("*").strip(".")
        return bool(domain) and f".{host}".endswith(f".{domain}")
    with suppress(ValueError):
        return address in ipaddress.ip_network(entry, strict=False)
    return False
