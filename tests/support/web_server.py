"""A server with a web configuration, in the test's process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from raw_http_client import echo, running_server

from exporter.web.basic_auth import BasicAuth
from exporter.web.middleware import Middleware
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from raw_http_client import RunningServer

    from exporter.server.messages import Handler


@asynccontextmanager
async def running_web_server(
    web: Callable[[], WebConfig] = WebConfig, handler: Handler = echo, *, has_tls: bool = False
) -> AsyncIterator[RunningServer]:
    """A server with the middleware of a web configuration."""
    basic_auth = BasicAuth()
    middleware = Middleware(handler, web, basic_auth, has_tls=has_tls)
    try:
        async with running_server(middleware.handle, middleware.tls) as running:
            yield running
    finally:
        basic_auth.close()
