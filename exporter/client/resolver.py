"""Name lookups in threads of their own: one that hangs holds up no other, and no exit.

The C library's lookup cannot be cancelled. In the event loop's usual pool of threads, a resolver
that is dead would soon hold every thread, and each would be waited for at the end.
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
    """What an event loop runs blocking calls in: `loop.set_default_executor(Lookups())`.

    Each call has a thread, which nobody waits for at the end. A name that is being looked up
    already is not looked up again: there are never more threads than names that hang.

    Args:
        lookup: takes the place of `socket.getaddrinfo`.
    """

    # Of the base class nothing is used: asyncio takes no executor of another kind.

    def __init__(self, lookup: Callable[..., Any] = socket.getaddrinfo) -> None:
        super().__init__(max_workers=1)
        self._lookup = lookup
        self._under_way: dict[Hashable, Future[Any]] = {}
        self._lock = Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the call, or join the same lookup that is under way."""
        if fn is not socket.getaddrinfo:
            return _started(fn, *args, **kwargs)
        with self._lock:
            known = self._under_way.get(args)
            if known is None:
                known = self._under_way[args] = _started(self._lookup, *args, **kwargs)
                known.add_done_callback(lambda _: self._under_way.pop(args))
        return known

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  the base class's own
        """Leave the threads to themselves: they end with the process at the latest."""


def _started(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """The future of a call in a new thread; it is running, so that nobody can cancel it."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  whoever waits gets it, whatever it is
            future.set_exception(error)

    Thread(target=run, name="lookup", daemon=True).start()
    return future
