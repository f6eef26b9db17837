"""The exporter's pages on a real socket, in a thread of its own, without polls."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from threading import Thread
from typing import TYPE_CHECKING

from exporter.metrics.cache import MetricsCache
from exporter.server.server import Server
from exporter.server.sockets import bound_sockets, url_of
from exporter.state.store import StateStore
from exporter.web.routes import Application
from exporter.web.status_page import PageInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.state.store import TargetSnapshot


async def no_reload() -> str:  # pragma: no cover  not requested here
    return "not in this test"


def application_with(snapshots: Iterable[TargetSnapshot], prefix: str = "") -> Application:
    """The pages of these targets."""
    known = list(snapshots)
    store = StateStore()
    store.set_targets(
        (snapshot.target for snapshot in known),
        {
            snapshot.target.name: replace(
                snapshot.state, stale_at=0.0 if snapshot.is_stale else inf
            )
            for snapshot in known
        },
    )
    metrics = MetricsCache(store, lambda: iter(()))
    return Application(metrics, store, no_reload, str, PageInfo("1.2.3"), prefix)


@contextmanager
def served(snapshots: Iterable[TargetSnapshot]) -> Iterator[str]:
    """The URL of the status page."""
    application = application_with(snapshots)
    (socket,) = bound_sockets(["127.0.0.1:0"])
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with Server(application.handle).serving([socket]):
            await stop.wait()

    thread = Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        yield url_of(socket) + "/"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
