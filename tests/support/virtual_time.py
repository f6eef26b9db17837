"""An event loop whose clock jumps to the next timer: hours of polling in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

from own_thread import in_own_thread

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class _VirtualSelector(selectors.DefaultSelector):
    """Advances its clock instead of waiting; files and threads are never ready."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "deadlock: every task waits, and no timer is set"
        self.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.virtual = _VirtualSelector()
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.now


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main`, which must end every task that it starts; the clock starts at 0."""
    return in_own_thread(_run, main)


def _run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        result = runner.run(main)
        assert not asyncio.all_tasks(runner.get_loop())
        return result


def elapsed() -> float:
    """Seconds by the event loop's clock."""
    return asyncio.get_running_loop().time()
