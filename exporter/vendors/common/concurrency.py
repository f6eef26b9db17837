"""Several requests of one poll at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.model import PollError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")


async def gather_or_fail(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of calls made at the same time, in their order; the first failure ends all.

    Raises:
        PollError: that failure.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def gather_results(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T | PollError]:
    """The results of calls made at the same time, in their order; a failure is a result too."""
    return await gather_or_fail(map(_result, calls))


async def _result(call: Coroutine[Any, Any, T]) -> T | PollError:
    try:
        return await call
    except PollError as error:
        error.__traceback__ = None  # its frames hold the key
        return error
