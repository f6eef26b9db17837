"""Hung and healthy vendors over real sockets: no target waits long for the others' vendors."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from raw_http_server import Move, peer, well_behaved
from vendor_calls import affinda_settings, connected, credits_today, failure, polled, run, source

from exporter.config.models import Poll
from exporter.model import FailureReason, PollFailure, PollResult
from exporter.polling.limits import PollSlots, RateLimiter
from exporter.polling.scheduler import PollScheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import PollOutcome
    from exporter.polling.poll import PollTarget

INTERVAL = 2.0
SECONDS = 9.0


@contextmanager
def blackhole() -> Iterator[socket.socket]:
    """A listening socket with a full backlog: connection attempts hang."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003  the standard library's own
            waiting.connect_ex(listener.getsockname())
        yield listener


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def targets(hung: str, blackholed: str, healthy: str) -> list[PollTarget]:
    """150 targets, half hung and half never connected, with five healthy ones among them."""
    slow = {"interval": "60s", "timeout": "3s"}
    quick = {"interval": f"{INTERVAL:g}s", "timeout": "1s"}
    return [
        connected(
            affinda_settings(name=f"healthy-{number}", base_url=healthy, poll=quick)
            if number % 31 == 0
            else affinda_settings(
                name=f"hung-{number}", base_url=(hung, blackholed)[number % 2], poll=slow
            )
        )
        for number in range(155)
    ]


@pytest.mark.e2e
def test_150_hung_targets_delay_five_healthy_ones_by_seconds() -> None:
    outcomes: defaultdict[str, list[PollOutcome]] = defaultdict(list)

    async def main() -> None:
        async with peer(lambda _: [Move.HANG]) as hung, peer(well_behaved) as healthy:
            with blackhole() as unreachable:
                limits = PollSlots(Poll().max_concurrent, RateLimiter(1000.0))
                async with PollScheduler(
                    lambda name, end: outcomes[name].append(end), limits
                ) as scheduler:
                    scheduler.start(targets(hung.url, address(unreachable), healthy.url))
                    await asyncio.sleep(SECONDS)

    run(main())
    healthy = {name: ends for name, ends in outcomes.items() if name.startswith("healthy")}
    assert len(healthy) == 5
    assert all(isinstance(end.result, PollResult) for ends in healthy.values() for end in ends)
    gaps = [later.at - sooner.at for ends in healthy.values() for sooner, later in pairwise(ends)]
    assert len(gaps) >= 6
    assert max(gaps) < INTERVAL + 3
    hung = [end.result for name, ends in outcomes.items() if name not in healthy for end in ends]
    assert len(hung) > 50
    assert {end.reason for end in hung if isinstance(end, PollFailure)} == {FailureReason.TIMEOUT}


def test_hung_connection_attempts_leave_nothing_behind() -> None:
    async def main() -> None:
        with blackhole() as unreachable:
            hurried = source(address(unreachable), poll={"timeout": "0.1s"})
            for _ in range(3):
                tries = await asyncio.gather(*(polled(hurried) for _ in range(30)))
                assert {failure(attempt).reason for attempt in tries} == {FailureReason.TIMEOUT}
            listener = unreachable.dup()
        patient = source(address(listener))
        async with peer(well_behaved, listener=listener):
            assert credits_today(await polled(patient)) == 9

    run(main())
