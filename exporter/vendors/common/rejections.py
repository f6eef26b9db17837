"""Requests that a vendor refuses for one scope, while it answers the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from exporter.model import FailureReason, PollError, PollFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

_OF_THE_SCOPE: Final = frozenset(
    {
        FailureReason.AUTH,
        FailureReason.CLIENT_ERROR,
        FailureReason.FORBIDDEN,
        FailureReason.MALFORMED,
        FailureReason.TOO_LARGE,
        FailureReason.VENDOR_ERROR,
    }
)


async def result_or_rejection(call: Awaitable[T]) -> T | PollFailure:
    """The result of a call, or why the vendor refuses it.

    Raises:
        PollError: a failure that another scope's request would meet as well.
    """
    try:
        return await call
    except PollError as error:
        if error.reason not in _OF_THE_SCOPE:
            raise
        return error.failure
