"""What every way in which a call can fail means: a reason, and a text that holds no secret.

    a status other than 200 and 203 ................. by `http_error`
    httpx.TimeoutException, TimeoutError ............ timeout
    httpx.ProxyError ................................ connect: the proxy refused the tunnel
    httpx.ProtocolError ............................. malformed
    any other httpx.TransportError, OSError
        caused by socket.gaierror, UnicodeError ..... dns
        caused by ssl.SSLError ...................... tls
        caused by EMFILE, ENFILE .................... internal: our own limit
        otherwise ................................... connect
    anything else ................................... internal, by the poll's one broad except

No text of these exceptions is ever used: they quote headers, and headers hold keys.
"""

from __future__ import annotations

import errno
import re
import ssl
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from socket import gaierror
from typing import TYPE_CHECKING, Final

import httpx

from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATUSES: Final[dict[int, FailureReason]] = {
    HTTPStatus.UNAUTHORIZED: FailureReason.AUTH,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: FailureReason.CONNECT,
    HTTPStatus.TOO_MANY_REQUESTS: FailureReason.RATE_LIMITED,
}
_CLASSES: Final = {
    3: FailureReason.REDIRECT,
    4: FailureReason.CLIENT_ERROR,
    5: FailureReason.SERVER_ERROR,
}
_HINTS: Final = {
    # Of all statuses only 407 has this reason.
    FailureReason.CONNECT: ": the proxy requires a user and a password; check http.proxy_url",
    FailureReason.FORBIDDEN: (
        ": not the vendor's error document; a proxy, gateway or firewall refused the request"
    ),
    FailureReason.REDIRECT: ": redirects are not followed; check base_url",
}
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_STATUS: Final = re.compile(r"[1-5][0-9]{2}(?![0-9])")


def http_error(status: int, message: str | None, retry_after: float | None) -> PollError:
    """What a status other than 200 means.

    Args:
        status: of the response.
        message: the vendor's own error message, safe to show; None where the body is no error
            document of the vendor's.
        retry_after: seconds that the response asks to wait, if it does.
    """
    reason = _STATUSES.get(status) or _CLASSES.get(status // 100, FailureReason.MALFORMED)
    if status == HTTPStatus.FORBIDDEN:
        reason = FailureReason.FORBIDDEN if message is None else FailureReason.AUTH
        if retry_after is not None:
            reason = FailureReason.RATE_LIMITED
    detail = f": {message}" if message else _HINTS.get(reason, "")
    return PollError(reason, f"HTTP status {status}{detail}", retry_after)


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds that a `Retry-After` asks for, at least 0; None where it is missing or invalid.

    Args:
        value: of the header: whole seconds, or a date.
        now: Unix seconds.
    """
    value = value.strip(" \t")
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)


_NO_RESPONSE: Final = (httpx.TimeoutException, TimeoutError)
_UNRESOLVED: Final = (gaierror, UnicodeError)
_ERROR_MAP: Final = (
    (_NO_RESPONSE, FailureReason.TIMEOUT, "{peer} did not respond in time"),
    (httpx.ProtocolError, FailureReason.MALFORMED, "{peer}'s response is not HTTP, or was cut off"),
    (_UNRESOLVED, FailureReason.DNS, "{peer}'s host name cannot be resolved"),
    (ssl.SSLCertVerificationError, FailureReason.TLS, "{peer}'s certificate is not trusted"),
    (ssl.SSLError, FailureReason.TLS, "no TLS connection with {peer}"),
)


def transport_error(error: Exception, peer: str) -> PollError:
    """What an exception of the transport means.

    Args:
        error: an `httpx.TransportError`, `OSError` or `UnicodeError`.
        peer: who was spoken to, such as `the vendor`.
    """
    for cause in _causes(error):
        if isinstance(cause, httpx.ProxyError):
            return _refused_tunnel(cause)
        for kind, reason, text in _ERROR_MAP:
            if isinstance(cause, kind):
                return PollError(reason, text.format(peer=peer) + _openssl_reason(cause))
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            return PollError(
                FailureReason.INTERNAL, "too many open files; raise the limit (ulimit -n)"
            )
    return PollError(FailureReason.CONNECT, f"cannot connect to {peer}, or the connection broke")


def _refused_tunnel(error: httpx.ProxyError) -> PollError:
    """The proxy's status, without its reason phrase."""
    match = _STATUS.match(str(error))
    if not match:
        return PollError(FailureReason.CONNECT, "the proxy cannot be used")
    if int(match[0]) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return http_error(int(match[0]), None, None)
    detail = f"the proxy refused to connect to the vendor: HTTP status {match[0]}"
    return PollError(FailureReason.CONNECT, detail)


def _openssl_reason(cause: BaseException) -> str:
    """What OpenSSL reports: it knows certificates and versions, and no key."""
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
