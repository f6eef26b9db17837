"""Requests to the vendors' APIs over httpx: one connection for each, within limits."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx

from exporter.client.encoding import decode, too_large
from exporter.client.errors import http_error, parse_retry_after, transport_error
from exporter.client.proxies import proxy_url
from exporter.client.tls import ssl_context, system_ssl_context
from exporter.files import fingerprint
from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from exporter.config.models import Http

# Parsed, a hostile response takes up to 23 times as much memory for a moment.
MAX_RESPONSE_BYTES: Final = 1024 * 1024  # daily figures of 20 years have 300 KB
MAX_LIST_BYTES: Final = 2 * 1024 * 1024  # a thousand scopes and more
_MAX_ERROR_BYTES: Final = 4096
_ERROR_TIMEOUT: Final = 0.25  # seconds for the body of an error; its status is known already
# 203 is a 200 that a proxy on the way has changed.
_SUCCESS: Final = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
# One deadline around the whole poll replaces the timeout for each read, which a drip never meets.
_NO_TIMEOUTS: Final = {"connect": None, "read": None, "write": None, "pool": None}
# A connection serves one request: a second response behind the first is never believed.
_ONE_REQUEST: Final = httpx.Limits(max_connections=1, max_keepalive_connections=0)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a vendor. Its headers and body may hold the key, so `repr` shows neither.

    Args:
        method: `GET` or `POST`.
        url: complete, with its query.
        headers: in addition to those of every request.
        error_message: finds the vendor's own message, safe to show, in the beginning of an
            error's body; None where that is no error document of the vendor's.
        body: bytes to send, or None.
        max_bytes: bytes of a response that are read at most.
        timeout: seconds, for a request that the poll can do without; None leaves it to the poll's
            own timeout.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    error_message: Callable[[bytes], str | None] = field(default=lambda _: None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    max_bytes: int = MAX_RESPONSE_BYTES
    timeout: float | None = None

    @property
    def host(self) -> str:
        """Host and port: what a rate limit is for."""
        return urlsplit(self.url).netloc


class Response(NamedTuple):
    """What a vendor answered.

    Args:
        status: of any value.
        headers: names in lower case, and values, in their order.
        body: decoded; of a response that is no success only the beginning, as far as it arrived.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """All values of a header, separated by commas; empty if it is missing."""
        return ", ".join(value for key, value in self.headers if key == name)


class RoundTripper(Protocol):
    """Sends a request and receives the response, whatever its status."""

    async def __call__(self, request: Request, /) -> Response:
        """The response.

        Raises:
            PollError: none arrived, or it is too large or not decodable.
        """
        ...


class Transport(Protocol):
    """Makes requests."""

    async def __call__(self, request: Request, /) -> bytes:
        """The body of a successful response, decoded.

        Raises:
            PollError: for everything else, except what only the poll's timeout can end.
        """
        ...


class HttpClient:
    """Makes the transports of all targets; those with the same settings share one.

    Args:
        user_agent: sent with every request.
        environ: environment variables that name proxies and trusted authorities.
    """

    def __init__(self, user_agent: str, environ: Mapping[str, str] = os.environ) -> None:
        self._user_agent = user_agent
        self._environ = environ
        self._contexts: dict[Path | None, tuple[object, ssl.SSLContext]] = {}
        self._transports: dict[Http, Transport] = {}

    def transport(self, settings: Http) -> Transport:
        """What makes requests with these settings.

        Raises:
            OSError: the trusted authorities cannot be loaded.
        """
        if settings not in self._transports:
            self._transports[settings] = as_transport(self.round_tripper(settings), time.time)
        return self._transports[settings]

    def round_tripper(self, settings: Http) -> RoundTripper:
        """What sends requests with these settings, below `transport`.

        Raises:
            OSError: as `transport`.
        """
        self._ssl_context(settings.tls_ca_file)  # so that defects are found now

        async def send(request: Request, /) -> Response:
            context = self._ssl_context(settings.tls_ca_file)
            proxy = _proxy(proxy_url(settings, request.url, self._environ), context)
            return await _send(request, context, proxy, self._user_agent)

        return send

    def _ssl_context(self, ca_file: Path | None) -> ssl.SSLContext:
        """One for each set of authorities: it takes 20 ms to make.

        A changed file gives a new one; where it has become unusable, the last good one stays.
        """
        current = fingerprint(ca_file) if ca_file else None
        made_of, context = self._contexts.get(ca_file, (None, None))
        if context is None or current != made_of:
            try:
                context = ssl_context(ca_file) if ca_file else system_ssl_context(self._environ)
            except OSError:
                if context is None:
                    raise
            self._contexts[ca_file] = current, context
        return context


def as_transport(round_tripper: RoundTripper, now: Callable[[], float]) -> Transport:
    """The transport that judges the responses of `round_tripper`.

    Args:
        round_tripper: sends the requests.
        now: Unix seconds, for dates in `Retry-After`.
    """

    async def send(request: Request, /) -> bytes:
        response = await round_tripper(request)
        if response.status in _SUCCESS:
            return response.body
        is_client_error = response.status // 100 == 4  # noqa: PLR2004  only a 4xx has a message for the user
        message = request.error_message(response.body) if is_client_error else None
        wait = parse_retry_after(response.header("retry-after"), now())
        raise http_error(response.status, message, wait)

    return send


def _proxy(url: str | None, context: ssl.SSLContext) -> httpx.Proxy | None:
    """The proxy, whose certificate is checked as the vendor's is.

    Raises:
        PollError: connect, where the URL is not that of an HTTP proxy.
    """
    if not url:
        return None
    scheme = url.partition("://")[0].lower()
    if scheme in {"http", "https"}:
        with suppress(ValueError, httpx.InvalidURL):
            return httpx.Proxy(url, ssl_context=context if scheme == "https" else None)
    raise PollError(FailureReason.CONNECT, "the proxy's URL is not that of an HTTP proxy")


async def _send(
    request: Request, context: ssl.SSLContext, proxy: httpx.Proxy | None, user_agent: str
) -> Response:
    """The response.

    A transport of its own for each request, without the client around it: no cookies, no
    redirects, no decoding, no connection kept, and no pool that a cancelled request could leave
    in disorder.

    Raises:
        PollError: as `RoundTripper`.
    """
    progress = _Progress(request, has_proxy=proxy is not None)
    try:
        headers = {
            "User-Agent": user_agent,
            "Accept-Encoding": "identity",
            "Connection": "close",
            **request.headers,
        }
        httpx_request = httpx.Request(
            request.method,
            request.url,
            headers=headers,
            content=request.body,
            extensions={"timeout": _NO_TIMEOUTS, "trace": progress},
        )
        async with (
            asyncio.timeout(request.timeout),
            progress.connections,
            httpx.AsyncHTTPTransport(
                verify=context, trust_env=False, proxy=proxy, limits=_ONE_REQUEST
            ) as transport,
        ):
            response = await transport.handle_async_request(httpx_request)
            is_success = response.status_code in _SUCCESS
            body = await (_body(response, request.max_bytes) if is_success else _start(response))
            return Response(response.status_code, _headers(response), body)
    except (httpx.TransportError, OSError, UnicodeError) as error:
        raise transport_error(error, progress.peer) from None


class _Progress:
    """Follows httpcore's events: how far a request has come, and what must be closed after it.

    Args:
        request: the request.
        has_proxy: whether it goes through a proxy.
    """

    def __init__(self, request: Request, *, has_proxy: bool) -> None:
        self.connections = AsyncExitStack()
        self.peer = "the proxy" if has_proxy else "the vendor"
        # The last event of which the proxy is the only peer.
        self._behind_proxy = (
            "proxy.start_tls.started"
            if urlsplit(request.url).scheme == "https"
            else "http11.send_request_headers.started"
        )

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            # httpcore does not close a connection that is given up during its TLS handshake.
            self.connections.push_async_callback(info["return_value"].aclose)
        elif event == self._behind_proxy:
            self.peer = "the vendor"


async def _body(response: httpx.Response, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise too_large(max_bytes)
    return decode(bytes(body), response.headers.get("Content-Encoding", ""), max_bytes)


async def _start(response: httpx.Response) -> bytes:
    """The beginning of an error's body, as far as it arrives; empty where it cannot be decoded."""
    start = bytearray()
    with suppress(httpx.TransportError, OSError):  # a TimeoutError is an OSError
        async with asyncio.timeout(_ERROR_TIMEOUT):
            async for chunk in response.aiter_raw():
                start += chunk
                if len(start) > _MAX_ERROR_BYTES:
                    break
    encoding = response.headers.get("Content-Encoding", "")
    try:
        return decode(bytes(start[:_MAX_ERROR_BYTES]), encoding, 2**16)
    except PollError:
        return b""


def _headers(response: httpx.Response) -> tuple[tuple[str, str], ...]:
    raw = response.headers.raw
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)
