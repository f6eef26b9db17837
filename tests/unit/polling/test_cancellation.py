"""A poll that does not pass a cancellation on is the last one all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from virtual_time import in_virtual_time

from exporter.client.client import HttpClient
from exporter.config.models import Http, Target
from exporter.model import FailureReason, PollError, PollResult
from exporter.polling.poll import Limits, PollTarget
from exporter.polling.scheduler import PollScheduler
from exporter.vendors.common.concurrency import gather_or_fail

if TYPE_CHECKING:
    from exporter.vendors.base import Transport

TARGET = Target.model_validate(
    {"name": "one", "vendor": "acme", "api_key": "k1", "poll": {"interval": "1s"}}
)

UNUSED = HttpClient("tests").transport(Http())


def test_a_failure_in_the_moment_of_a_stop_does_not_keep_a_target_alive() -> None:
    """Were it polled on, what it publishes would end the program with an error."""

    async def main() -> None:
        began = asyncio.Event()

        async def fails_when_cancelled(_send: Transport, _now: float) -> PollResult:
            began.set()
            try:
                await asyncio.sleep(3600)
            finally:
                raise PollError(FailureReason.DNS, "no such host")

        async with PollScheduler(lambda name, _: nobody_expects[name], Limits(1, 1)) as scheduler:
            scheduler.start([PollTarget(TARGET, fails_when_cancelled, UNUSED)])
            await began.wait()
            scheduler.stop(["one"])

    nobody_expects: dict[str, None] = {}
    asyncio.run(main())


def test_a_target_that_is_stopped_in_the_moment_its_poll_ends_is_not_heard_of_again() -> None:
    async def main() -> list[str]:
        polled: list[str] = []
        scheduler = PollScheduler(lambda name, _: polled.append(name), Limits(1, 1))

        async def stops_itself(_send: Transport, _now: float) -> PollResult:
            scheduler.stop(["one"])
            return PollResult(())

        async with scheduler:
            scheduler.start([PollTarget(TARGET, stops_itself, UNUSED)])
            await asyncio.sleep(60)
        return polled

    assert in_virtual_time(main()) == []


def test_a_failed_group_of_requests_does_not_end_a_target() -> None:
    """Before Python 3.13 the task counts as cancelled for ever after such a failure."""

    async def main() -> list[str]:
        async def refused() -> PollResult:
            raise PollError(FailureReason.CONNECT, "refused")

        async def asks_together(_send: Transport, _now: float) -> PollResult:
            return (await gather_or_fail([refused(), refused()]))[0]

        polled: list[str] = []
        async with PollScheduler(lambda name, _: polled.append(name), Limits(1, 1)) as scheduler:
            scheduler.start([PollTarget(TARGET, asks_together, UNUSED)])
            await asyncio.sleep(1)
        return polled

    assert len(in_virtual_time(main())) > 1
