"""Coroutines that run at once up to where they wait, and only from there on in a task.

Most answers never wait, and a task costs more than such an answer. Python 3.12 can do this by
itself. Before the first wait there is no current task, so that no `asyncio.timeout` may be there.
"""

from __future__ import annotations

import asyncio
import types
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator


def begin(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a coroutine; the task in which it goes on, or None where it has ended already."""
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_rest(coroutine, awaited))


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    while True:
        go_on: Callable[[], object]
        try:
            go_on = partial(coroutine.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001  the coroutine's own affair, also its end
            go_on = partial(coroutine.throw, error)
        try:
            awaited = go_on()
        except StopIteration:
            return
