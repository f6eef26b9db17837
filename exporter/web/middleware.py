"""The guard before every page: the web configuration's rate limit, passwords and headers.

No path is without it, whether there is a page or not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from exporter.config.errors import ConfigError
from exporter.server.messages import Response, text_response
from exporter.server.tls import ConnectionRejectedError
from exporter.web.basic_auth import BusyError, Passwords

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.server.messages import Handler, Request
    from exporter.web.web_config.models import Rate, WebConfig
    from exporter.web.web_config.tls import Tls

# Nothing here is for a cache, a frame or a script, unless a page or the web configuration say so.
_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
)
_WHO: Final = (b"www-authenticate", b'Basic realm="docusage-exporter", charset="UTF-8"')


class Bucket:
    """A token bucket: a request every `interval`, and a burst of some at once.

    Args:
        rate: how often requests are let through.
        now: seconds, by a clock that never goes back.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether a request may pass."""
        earned = (now - self._at) / self.rate.interval
        self._tokens = min(self._tokens + earned, self.rate.burst)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Guard:
    """Answers as the pages do, where the web configuration lets a request through.

    Args:
        answer: the pages.
        current: the web configuration as it is now, or a ConfigError while it is broken.
        passwords: checks them.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        answer: Handler,
        current: Callable[[], WebConfig],
        passwords: Passwords,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answer = answer
        self._current = current
        self._passwords = passwords
        self._clock = clock
        self._bucket: Bucket | None = None

    def tls(self) -> Tls | None:
        """How the next connection is encrypted, or None.

        Raises:
            ConnectionRejectedError: the web configuration is broken.
        """
        try:
            return self._current().tls
        except ConfigError:
            raise ConnectionRejectedError from None

    async def answer(self, request: Request) -> Response:
        """The answer to a request."""
        try:
            web = self._current()
        except ConfigError:
            return text_response(
                503, "The web configuration is broken; the log says how.", *_ALWAYS
            )
        response = await self._refusal(web, request) or await self._answer(request)
        return response._replace(headers=(*_ALWAYS, *response.headers, *web.headers))

    async def _refusal(self, web: WebConfig, request: Request) -> Response | None:
        if not self._is_in_time(web.rate):
            return text_response(429, "Too many requests.")
        try:
            if web.users and not await self._passwords.fit(web.users, request.headers):
                return text_response(401, "A user and a password are needed.", _WHO)
        except BusyError:
            return text_response(503, "Too many logins at once.")
        return None

    def _is_in_time(self, rate: Rate | None) -> bool:
        if rate is None:
            return True
        if self._bucket is None or self._bucket.rate != rate:
            self._bucket = Bucket(rate, self._clock())
        return self._bucket.take(self._clock())
