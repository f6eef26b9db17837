"""Middleware that applies the web configuration: rate limit, authentication and headers.

It handles every path, whether there is a page or not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from exporter.config.errors import ConfigError
from exporter.server.messages import Response, text_response
from exporter.server.tls import ConnectionRejectedError
from exporter.web.basic_auth import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.server.messages import Handler, Request
    from exporter.web.basic_auth import BasicAuth
    from exporter.web.web_config.models import RateLimit, WebConfig
    from exporter.web.web_config.tls import Tls

# By default nothing is cached, framed or scripted; pages and the web configuration override it.
_DEFAULT_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
)
_CHALLENGE: Final = (b"www-authenticate", b'Basic realm="docusage-exporter", charset="UTF-8"')


class TokenBucket:
    """Limits the rate of requests; it starts full.

    Args:
        limit: interval and burst.
        now: monotonic seconds.
    """

    def __init__(self, limit: RateLimit, now: float) -> None:
        self.limit = limit
        self._tokens = float(limit.burst)
        self._updated_at = now

    def take(self, now: float) -> bool:
        """Take a token; whether there was one."""
        added = (now - self._updated_at) / self.limit.interval
        self._tokens = min(self._tokens + added, self.limit.burst)
        self._updated_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Middleware:
    """Passes requests to a handler as far as the web configuration allows.

    Args:
        handler: answers the requests that are allowed.
        web_config: returns the current web configuration; raises a ConfigError while it is
            invalid.
        basic_auth: authenticates requests.
        has_tls: whether connections are encrypted; this does not change with the web configuration.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        handler: Handler,
        web_config: Callable[[], WebConfig],
        basic_auth: BasicAuth,
        *,
        has_tls: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._web_config = web_config
        self._basic_auth = basic_auth
        self._clock = clock
        self._has_tls = has_tls
        self._bucket: TokenBucket | None = None

    def tls(self) -> Tls | None:
        """The TLS settings of the next connection; None for no encryption.

        Raises:
            ConnectionRejectedError: the settings are invalid. Without TLS connections are accepted
                nevertheless, so that `handle` can state the reason.
        """
        try:
            return self._web_config().tls
        except ConfigError:
            if self._has_tls:
                raise ConnectionRejectedError from None
            return None

    async def handle(self, request: Request) -> Response:
        """The response to a request."""
        try:
            config = self._web_config()
        except ConfigError:
            return text_response(
                500, "Invalid web configuration; the log has the reason.", *_DEFAULT_HEADERS
            )
        response = await self._reject(config, request) or await self._handler(request)
        headers = (*_DEFAULT_HEADERS, *response.headers, *config.headers)
        return response._replace(headers=headers)

    async def _reject(self, config: WebConfig, request: Request) -> Response | None:
        if not self._is_within_limit(config.rate_limit):
            return text_response(429, "Too many requests.")
        try:
            if config.users and not await self._basic_auth.authenticate(
                config.users, request.headers
            ):
                return text_response(401, "Authentication required.", _CHALLENGE)
        except BusyError:
            return text_response(503, "Too many logins at the same time.")
        return None

    def _is_within_limit(self, limit: RateLimit | None) -> bool:
        if limit is None:
            return True
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = TokenBucket(limit, self._clock())
        return self._bucket.take(self._clock())
