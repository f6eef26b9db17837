"""Requests of a backfill: the rate limit, and retries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from virtual_time import elapsed, in_virtual_time

from exporter.client.client import Request as Call
from exporter.history.retry import with_retry
from exporter.model import FailureReason, PollError
from exporter.polling.limits import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable


class UnreliableTransport:
    """Fails with these errors first, and records the times of requests."""

    def __init__(self, *failures: PollError | None) -> None:
        self.called: list[float] = []
        self._failures = iter(failures)

    async def __call__(self, _: Call) -> bytes:
        self.called.append(elapsed())
        if failure := next(self._failures, None):
            raise failure
        return b"response"


def send_all(send: Callable[[Call], object], times: int = 1) -> list[bytes]:
    async def main() -> list[bytes]:
        transport = with_retry(send, RateLimiter(2.0), 20.0)  # type: ignore[arg-type]  # a fake
        return [await transport(Call("GET", "https://api/")) for _ in range(times)]

    return in_virtual_time(main())


DOWN = PollError(FailureReason.SERVER_ERROR, "HTTP status 503")


def test_requests_keep_to_the_rate_limit() -> None:
    transport = UnreliableTransport()
    assert send_all(transport, 3) == [b"response"] * 3
    assert transport.called == [0.0, 0.5, 1.0]


def test_a_transient_failure_is_retried_three_times() -> None:
    transport = UnreliableTransport(DOWN, DOWN, DOWN)
    assert send_all(transport) == [b"response"]
    assert transport.called == [0, 2, 10, 40]


def test_the_fourth_failure_is_final() -> None:
    transport = UnreliableTransport(DOWN, DOWN, DOWN, DOWN)
    with pytest.raises(PollError, match="HTTP status 503"):
        send_all(transport)
    assert len(transport.called) == 4


@pytest.mark.parametrize(
    ("retry_after", "called"), [(100.0, [0, 100]), (1.0, [0, 2]), (300.0, [0, 300])]
)
def test_retry_after_is_obeyed_up_to_five_minutes(retry_after: float, called: list[float]) -> None:
    transport = UnreliableTransport(
        PollError(FailureReason.RATE_LIMITED, "HTTP status 429", retry_after)
    )
    send_all(transport)
    assert transport.called == called


@pytest.mark.parametrize(
    "failure",
    [
        PollError(FailureReason.RATE_LIMITED, "HTTP status 429", 301.0),
        PollError(FailureReason.AUTH, "HTTP status 401"),
        PollError(FailureReason.MALFORMED, "no JSON"),
    ],
    ids=lambda failure: str(failure.reason),
)
def test_a_permanent_failure_is_not_retried(failure: PollError) -> None:
    transport = UnreliableTransport(failure)
    with pytest.raises(PollError, match=failure.detail):
        send_all(transport)
    assert transport.called == [0]


def test_a_request_that_hangs_is_a_timeout() -> None:
    called = []

    async def hang(_: Call) -> bytes:
        called.append(elapsed())
        return await asyncio.sleep(10**6, b"")

    with pytest.raises(PollError, match="timeout: no response within 20 seconds"):
        send_all(hang)
    assert called == [0, 22, 50, 100]
