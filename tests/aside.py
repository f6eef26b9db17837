"""An event loop in a thread of its own, so that coverage is measured whatever happens in it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def aside(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main`; `virtual_time.in_virtual_time` says why the thread is needed."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, main).result()
