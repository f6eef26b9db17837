"""Failures of one scope, while the vendor answers for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from exporter.model import FailureReason, PollError, PollFailure, ScopeFailure

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


def scope_failure(scope: str, label: str, value: str, error: PollError) -> ScopeFailure:
    """The failure of a scope; see `ScopeFailure` for the arguments."""
    return ScopeFailure(scope, error.reason, error.detail, label, value, error.retry_after)


def poll_error(failure: ScopeFailure) -> PollError:
    """The failure of a target that can do with nothing less than this scope."""
    return PollError(failure.reason, f"{failure.scope}: {failure.detail}", failure.retry_after)


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
