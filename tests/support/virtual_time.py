"""An event loop whose clock jumps to the next timer: hours of polling in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting for a time, goes to it; files and threads are never heard of."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits, and no timer runs"
        self.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = _Jumping()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main`, which has to end every task that it starts; the clock begins at 0."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        result = runner.run(main)
        assert not asyncio.all_tasks(runner.get_loop())
        return result


def elapsed() -> float:
    """Seconds by the loop's clock."""
    return asyncio.get_running_loop().time()


def be_busy(seconds: float) -> None:
    """Let time go by while nothing else can run."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    loop.jumping.now += seconds
