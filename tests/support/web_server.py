"""A server with a web configuration, in the test's own process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from raw_http_client import echo, running_server

from exporter.web.basic_auth import Passwords
from exporter.web.middleware import Guard
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from raw_http_client import RunningServer

    from exporter.server.messages import Handler


@asynccontextmanager
async def running_web_server(
    web: Callable[[], WebConfig] = WebConfig, handler: Handler = echo
) -> AsyncIterator[RunningServer]:
    """A server that answers as the web configuration allows."""
    passwords = Passwords()
    guard = Guard(handler, web, passwords)
    try:
        async with running_server(guard.answer, guard.tls) as running:
            yield running
    finally:
        passwords.close()
