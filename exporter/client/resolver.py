"""Blocking calls in daemon threads: a name resolution that hangs delays no other, and no exit.

The C library's `getaddrinfo` cannot be cancelled. In the event loop's default pool, a dead
resolver would soon block every thread, and the program would wait for each of them at its end.
"""

from __future__ import annotations

import socket
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreadExecutor(ThreadPoolExecutor):
    """An event loop's default executor: a daemon thread for each call.

    The same name is not resolved twice at the same time: there are never more threads than names
    that hang.

    Args:
        getaddrinfo: replaces `socket.getaddrinfo`.
    """

    # Nothing of the base class is used: asyncio accepts no executor of another kind.

    def __init__(self, getaddrinfo: Callable[..., Any] = socket.getaddrinfo) -> None:
        super().__init__(max_workers=1)
        self._getaddrinfo = getaddrinfo
        self._running: dict[Hashable, Future[Any]] = {}
        self._lock = Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the call; for a name that is being resolved, return the running one."""
        if fn is not socket.getaddrinfo:
            return _start(fn, *args, **kwargs)
        with self._lock:
            future = self._running.get(args)
            if future is None:
                future = self._running[args] = _start(self._getaddrinfo, *args, **kwargs)
                future.add_done_callback(lambda _: self._running.pop(args))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  the base class's own
        """Do not wait for the threads: they end with the process at the latest."""


def _start(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """The future of a call in a new thread; it is marked as running, so it cannot be cancelled."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  the caller gets it
            future.set_exception(error)

    Thread(target=run, name="executor", daemon=True).start()
    return future
