"""The one place that touches httpx: makes one call, turns every way it can fail into a reason.

What the layers below let through, and what each becomes:

    httpx.TimeoutException .......................... timeout
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
import re
import ssl
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # missing in typeshed

import httpx

from exporter.records import PollError, Reason, malformed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
    from pathlib import Path

    from exporter.config.models import Http

MAX_REPLY_BYTES: Final = 8 * 1024 * 1024
_MAX_ERROR_BYTES: Final = 4096
_ERROR_PATIENCE: Final = 1.0  # seconds for the words of a refusal; its status is known already
_NO_DESCRIPTOR: Final = "too many open files; raise the limit (ulimit -n)"
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,10}")
# One deadline around the whole poll replaces the timeout for each read, which a drip never meets.
_NO_TIMEOUTS: Final = {"timeout": {"connect": None, "read": None, "write": None, "pool": None}}
# A connection serves one call: a second reply glued behind the first is never believed.
_ONE_CALL: Final = httpx.Limits(max_connections=1, max_keepalive_connections=0)

T = TypeVar("T")


def _no_words(_: bytes) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Request:
    """A call to a vendor. Its headers and body may hold the key, so it shows neither.

    Args:
        method: `GET` or `POST`.
        url: whole, with its query.
        headers: beside those every call has.
        body: bytes to send, or None.
        explain: finds the vendor's own words in the beginning of a refusal, safe to show.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    explain: Callable[[bytes], str] = field(default=_no_words, repr=False)

    @property
    def host(self) -> str:
        """Host and port: what a rate limit is for."""
        return urlsplit(self.url).netloc


class Network:
    """The ways out: one TLS context for each set of trusted roots, since one costs 20 ms.

    Args:
        user_agent: what vendors are told.
        most: calls that may be under way at the same time; None for any number.
    """

    def __init__(self, user_agent: str, most: int | None = None) -> None:
        self._user_agent = user_agent
        self._most = most
        self._under_way = 0
        self._contexts: dict[Path | None, ssl.SSLContext] = {}

    def way_out(self, settings: Http) -> Callable[[Request], Awaitable[bytes]]:
        """What makes calls with these settings.

        Raises:
            OSError: the file of trusted roots cannot be read or holds no certificate.
        """
        context = self._contexts.get(settings.tls_ca_file) or _trust(settings.tls_ca_file)
        self._contexts[settings.tls_ca_file] = context

        async def send(request: Request) -> bytes:
            proxy = _proxy(settings, request.url)
            with self._place():
                return await _send(request, context, proxy, self._user_agent)

        return send

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One call's place; scrapes need the descriptors that it does not get.

        Raises:
            PollError: internal, when all are taken.
        """
        if self._under_way == self._most:
            raise PollError(Reason.INTERNAL, _NO_DESCRIPTOR)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.create_default_context(cafile=ca_file)


def _proxy(settings: Http, url: str) -> str | None:
    if not settings.proxy_from_environment:
        return settings.proxy_url.reveal() if settings.proxy_url else None
    parts = urlsplit(url)
    proxies = getproxies_environment()
    if proxy_bypass_environment(parts.netloc, proxies):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


async def _send(
    request: Request, context: ssl.SSLContext, proxy: str | None, user_agent: str
) -> bytes:
    """The body of a 200 reply.

    A transport of its own for each call, without the client around it: no cookies, no redirects,
    no decoding, no connection kept, and no pool that a cancelled call could leave in disorder.

    Raises:
        PollError: for everything else, except what only the poll's deadline can end.
    """
    headers = {
        "User-Agent": user_agent,
        "Accept-Encoding": "identity",
        "Connection": "close",
        **request.headers,
    }
    try:
        async with httpx.AsyncHTTPTransport(
            verify=context, trust_env=False, proxy=proxy, limits=_ONE_CALL
        ) as transport:
            response = await transport.handle_async_request(
                httpx.Request(
                    request.method,
                    request.url,
                    headers=headers,
                    content=request.body,
                    extensions=_NO_TIMEOUTS,
                )
            )
            if response.status_code != HTTPStatus.OK:
                raise await _refusal(request, response)
            return await _body(response)
    except (httpx.TransportError, OSError, UnicodeError) as error:
        raise _translated(error) from None


async def _body(response: httpx.Response) -> bytes:
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise malformed("the reply is encoded although plain was asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise PollError(Reason.TOO_LARGE, f"the reply is over {MAX_REPLY_BYTES} bytes")
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


def reason_of_status(status: int) -> Reason:
    """The reason for a status other than 200."""
    exact = {401: Reason.AUTH, 403: Reason.AUTH, 429: Reason.RATE_LIMITED}
    classes = {3: Reason.REDIRECT, 4: Reason.CLIENT_ERROR, 5: Reason.SERVER_ERROR}
    return exact.get(status) or classes.get(status // 100, Reason.MALFORMED)


def retry_after(value: str, now: float) -> float | None:
    """Seconds that a `Retry-After` asks for, at least 0; None where it is missing or nonsense."""
    value = value.strip()
    if _WHOLE_NUMBER.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, zoned.timestamp() - now)
    except (ValueError, OverflowError):
        return None


_MEANINGS: Final = (
    (httpx.TimeoutException, Reason.TIMEOUT, "the vendor did not answer in time"),
    (httpx.ProtocolError, Reason.MALFORMED, "the reply is not HTTP, or was cut off"),
    (gaierror, Reason.DNS, "the vendor's host name cannot be resolved"),
    (UnicodeError, Reason.DNS, "the vendor's host name cannot be resolved"),
    (ssl.SSLCertVerificationError, Reason.TLS, "the vendor's certificate is not trusted"),
    (ssl.SSLError, Reason.TLS, "no TLS connection with the vendor"),
)


def _translated(error: Exception) -> PollError:
    for cause in _causes(error):
        for kind, reason, words in _MEANINGS:
            if isinstance(cause, kind):
                return PollError(reason, words + _tls_words(cause))
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            return PollError(Reason.INTERNAL, _NO_DESCRIPTOR)
    return PollError(Reason.CONNECT, "no connection to the vendor, or it broke")


def _tls_words(cause: BaseException) -> str:
    """What OpenSSL says: it knows certificates and versions, and no key."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f": {cause.verify_message}"
    return f": {cause.reason}" if isinstance(cause, ssl.SSLError) and cause.reason else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of calls made at the same time, in their order; the first failure ends all.

    Raises:
        PollError: that failure.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def naming(what: str, call: Coroutine[Any, Any, T]) -> T:
    """The result of `call`, whose failure says what it is about."""
    try:
        return await call
    except PollError as error:
        raise PollError(error.reason, f"{what}: {error.detail}", error.retry_after) from None
