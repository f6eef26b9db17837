"""The one place that touches httpx: makes one call, turns every way it can fail into a reason.

What the layers below let through, and what each becomes:

    httpx.TimeoutException, TimeoutError ............ timeout
    httpx.ProtocolError ............................. malformed
    any other httpx.TransportError, OSError
        caused by socket.gaierror, UnicodeError ..... dns
        caused by ssl.SSLError ...................... tls
        caused by EMFILE, ENFILE .................... internal: our own limit
        otherwise ................................... connect
    anything else ................................... internal, by the poll's one broad except

No text of these exceptions is ever kept: they quote headers, and headers hold keys.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # missing in typeshed

import httpx

from exporter.client.client import NO_DESCRIPTOR
from exporter.client.status import reason_of_status, retry_after
from exporter.model import FailureReason, PollError, malformed_response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.client.client import Request
    from exporter.config.models import Http

_MAX_ERROR_BYTES: Final = 4096
_ERROR_PATIENCE: Final = 0.25  # seconds for the words of a refusal; its status is known already
# One deadline around the whole poll replaces the timeout for each read, which a drip never meets.
_NO_TIMEOUTS: Final = {"connect": None, "read": None, "write": None, "pool": None}
# A connection serves one call: a second reply glued behind the first is never believed.
_ONE_CALL: Final = httpx.Limits(max_connections=1, max_keepalive_connections=0)


def default_ssl_context() -> ssl.SSLContext:
    """What a server must prove, with the roots that come with httpx."""
    return httpx.create_ssl_context(trust_env=False)


def proxy(settings: Http, url: str, context: ssl.SSLContext) -> httpx.Proxy | None:
    """The proxy to use, spoken to with the same trust as the vendor.

    Raises:
        PollError: connect, where the URL is no HTTP proxy's.
    """
    if settings.proxy_from_environment:
        address = _proxy_of_environment(url)
    else:
        address = settings.proxy_url.reveal() if settings.proxy_url else None
    if not address:
        return None
    scheme = address.partition("://")[0].lower()
    if scheme in {"http", "https"}:
        with suppress(ValueError, httpx.InvalidURL):
            return httpx.Proxy(address, ssl_context=context if scheme == "https" else None)
    raise PollError(FailureReason.CONNECT, "the proxy's URL is not an HTTP proxy's")


def _proxy_of_environment(url: str) -> str | None:
    parts = urlsplit(url)
    proxies = getproxies_environment()
    if proxy_bypass_environment(parts.netloc, proxies):
        return None
    address = proxies.get(parts.scheme) or proxies.get("all")
    return address if not address or "://" in address else f"http://{address}"


async def send(
    request: Request, context: ssl.SSLContext, way: httpx.Proxy | None, user_agent: str
) -> bytes:
    """The body of a 200 reply.

    A transport of its own for each call, without the client around it: no cookies, no redirects,
    no decoding, no connection kept, and no pool that a cancelled call could leave in disorder.

    Raises:
        PollError: for everything else, except what only the poll's deadline can end.
    """
    try:
        async with (
            asyncio.timeout(request.patience),
            AsyncExitStack() as closing,
            httpx.AsyncHTTPTransport(
                verify=context, trust_env=False, proxy=way, limits=_ONE_CALL
            ) as transport,
        ):
            call = _call(request, user_agent, closing)
            response = await transport.handle_async_request(call)
            if response.status_code != HTTPStatus.OK:
                raise await _refusal(request, response)
            return await _body(response, request.limit)
    except (httpx.TransportError, OSError, UnicodeError) as error:
        raise _translated(error) from None


def _call(request: Request, user_agent: str, closing: AsyncExitStack) -> httpx.Request:
    """The request as httpx has it; its connection will be closed by `closing`, come what may."""

    async def note(event: str, info: Mapping[str, Any]) -> None:
        # httpcore forgets to close a connection that is given up during its TLS handshake.
        if event == "connection.connect_tcp.complete":
            closing.push_async_callback(info["return_value"].aclose)

    return httpx.Request(
        request.method,
        request.url,
        headers={
            "User-Agent": user_agent,
            "Accept-Encoding": "identity",
            "Connection": "close",
            **request.headers,
        },
        content=request.body,
        extensions={"timeout": _NO_TIMEOUTS, "trace": note},
    )


async def _body(response: httpx.Response, limit: int) -> bytes:
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise malformed_response("the reply is encoded although plain was asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise PollError(FailureReason.TOO_LARGE, f"the reply is over {limit} bytes")
    return bytes(body)


async def _refusal(request: Request, response: httpx.Response) -> PollError:
    """What a status other than 200 means."""
    status = response.status_code
    words = await _words(request, response) if 400 <= status < 500 else ""  # noqa: PLR2004  the 4xx
    return PollError(
        reason_of_status(status),
        f"HTTP status {status}" + (f": {words}" if words else ""),
        retry_after(response.headers.get("Retry-After", ""), time.time()),
    )


async def _words(request: Request, response: httpx.Response) -> str:
    start = bytearray()
    with suppress(httpx.TransportError, OSError):  # a TimeoutError is an OSError
        async with asyncio.timeout(_ERROR_PATIENCE):
            async for chunk in response.aiter_raw():
                start += chunk
                if len(start) > _MAX_ERROR_BYTES:
                    break
    return request.explain(bytes(start[:_MAX_ERROR_BYTES]))


_MEANINGS: Final = (
    (
        (httpx.TimeoutException, TimeoutError),
        FailureReason.TIMEOUT,
        "the vendor did not answer in time",
    ),
    (httpx.ProtocolError, FailureReason.MALFORMED, "the reply is not HTTP, or was cut off"),
    (gaierror, FailureReason.DNS, "the host name cannot be resolved"),
    (UnicodeError, FailureReason.DNS, "the host name cannot be resolved"),
    (ssl.SSLCertVerificationError, FailureReason.TLS, "the vendor's certificate is not trusted"),
    (ssl.SSLError, FailureReason.TLS, "no TLS connection with the vendor"),
)


def _translated(error: Exception) -> PollError:
    for cause in _causes(error):
        for kind, reason, words in _MEANINGS:
            if isinstance(cause, kind):
                return PollError(reason, words + _tls_words(cause))
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            return PollError(FailureReason.INTERNAL, NO_DESCRIPTOR)
    return PollError(FailureReason.CONNECT, "no connection to the vendor, or it broke")


def _tls_words(cause: BaseException) -> str:
    """What OpenSSL says: it knows certificates and versions, and no key."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f": {cause.verify_message}"
    return f": {cause.reason}" if isinstance(cause, ssl.SSLError) and cause.reason else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):  # several addresses: the first stands for all
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
