"""Calls to the vendors: what one asks, and the ways out.

httpx itself is loaded with the first call, or before it by `Network.load`.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from exporter.files import fingerprint
from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from exporter.config.models import Http

# Parsed, a hostile reply takes up to 23 times as much memory for a moment.
MAX_REPLY_BYTES: Final = 1024 * 1024  # daily figures of 20 years have 300 KB
MAX_LIST_BYTES: Final = 2 * 1024 * 1024  # a thousand scopes and more
NO_DESCRIPTOR: Final = "too many open files; raise the limit (ulimit -n)"


def _no_words(_: bytes) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Request:
    """A call to a vendor. Its headers and body may hold the key, so it shows neither.

    Args:
        method: `GET` or `POST`.
        url: whole, with its query.
        headers: beside those every call has.
        explain: finds the vendor's own words in the beginning of a refusal, safe to show.
        body: bytes to send, or None.
        limit: bytes of a reply that are read at most.
        patience: seconds for the call, if the poll can do without it; else its deadline counts.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    explain: Callable[[bytes], str] = field(default=_no_words, repr=False)
    body: bytes | None = field(default=None, repr=False)
    limit: int = MAX_REPLY_BYTES
    patience: float | None = None

    @property
    def host(self) -> str:
        """Host and port: what a rate limit is for."""
        return urlsplit(self.url).netloc


class HttpClient:
    """The ways out: one TLS context for each set of trusted roots, since one costs 20 ms.

    Args:
        user_agent: what vendors are told.
        most: calls that may be under way at the same time; None for any number.
    """

    def __init__(self, user_agent: str, most: int | None = None) -> None:
        self._user_agent = user_agent
        self._most = most
        self._under_way = 0
        self._trusts: dict[Path | None, _Trust] = {}
        self._ways_out: dict[Http, Callable[[Request], Awaitable[bytes]]] = {}

    def transport(self, settings: Http) -> Callable[[Request], Awaitable[bytes]]:
        """What makes calls with these settings: the same one for all targets that have them.

        Raises:
            OSError: the file of trusted roots cannot be read or holds no certificate.
        """
        if settings.tls_ca_file:
            self._trust(settings.tls_ca_file)
        if settings not in self._ways_out:
            self._ways_out[settings] = self._new_way_out(settings)
        return self._ways_out[settings]

    def _new_way_out(self, settings: Http) -> Callable[[Request], Awaitable[bytes]]:
        async def send(request: Request) -> bytes:
            from exporter.client import httpx_transport  # noqa: PLC0415  see `load`

            context = self._trust(settings.tls_ca_file)
            proxy = httpx_transport.proxy(settings, request.url, context)
            with self._place():
                return await httpx_transport.send(request, context, proxy, self._user_agent)

        return send

    def load(self) -> None:
        """Load what every call needs: 100 ms, which the first one waits for otherwise."""
        from exporter.client import httpx_transport  # noqa: F401, PLC0415  as said

        self._trust(None)

    def _trust(self, ca_file: Path | None) -> ssl.SSLContext:
        """What a server must prove, with the usual roots or those that the file has now.

        Where the file has become unusable, those it had count on.

        Raises:
            OSError: as `transport`.
        """
        mark = ca_file and fingerprint(ca_file)
        known = self._trusts.get(ca_file)
        if known is None:
            self._trusts[ca_file] = known = _Trust(mark, _context(ca_file))
        elif known.mark != mark:
            with suppress(OSError):
                known = known._replace(context=_context(ca_file))
            self._trusts[ca_file] = known._replace(mark=mark)
        return known.context

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One call's place; scrapes need the descriptors that it does not get.

        Raises:
            PollError: internal, when all are taken.
        """
        if self._under_way == self._most:
            raise PollError(FailureReason.INTERNAL, NO_DESCRIPTOR)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


class _Trust(NamedTuple):
    """Trusted roots, and by what to tell that their file has changed."""

    mark: object
    context: ssl.SSLContext


def _context(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file:
        return ssl.create_default_context(cafile=ca_file)
    from exporter.client import httpx_transport  # noqa: PLC0415  see `Network.load`

    return httpx_transport.default_ssl_context()
