"""The schedule of polls, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fake_targets import POLL_RESULT, target
from scripted_poller import (
    FOREVER,
    NOW,
    UNAUTHORIZED,
    UNAVAILABLE,
    RecordedOutcomes,
    ScriptedPoller,
    hang,
    poll_settings,
    poll_target,
    poll_times,
    run_scheduler,
    scheduler,
    slots,
)
from virtual_time import elapsed, in_virtual_time

from exporter.model import (
    FailureReason,
    PollError,
    PollFailure,
    PollOutcome,
    PollResult,
    ScopeFailure,
)
from exporter.polling.clock import ElapsedClock
from exporter.polling.scheduler import ScheduleState
from exporter.vendors.common.concurrency import gather_or_fail

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import Any

    from exporter.config.models import Target
    from exporter.polling.scheduler import PollScheduler
    from exporter.vendors.base import Transport


# Start and interval


def test_the_first_polls_are_staggered() -> None:
    pollers = [ScriptedPoller(POLL_RESULT) for _ in range(3)]
    targets = [poll_target(target(f"t{index}"), poller) for index, poller in enumerate(pollers)]
    in_virtual_time(run_scheduler(10, *targets))
    assert [poller.started for poller in pollers] == [[0], [0.05], [0.1]]


@pytest.mark.parametrize(
    ("interval", "targets", "spread"), [("15m", 3000, 30), ("20s", 1000, 5), ("15m", 100, 5)]
)
def test_the_first_polls_are_spread_over_30_seconds_or_a_quarter_of_the_interval(
    interval: str, targets: int, spread: float
) -> None:
    pollers = [ScriptedPoller(POLL_RESULT) for _ in range(targets)]
    polled = (target(f"t{index}", poll=poll_settings(interval)) for index in range(targets))
    poll_targets = [poll_target(each, poller) for each, poller in zip(polled, pollers, strict=True)]
    in_virtual_time(run_scheduler(35, *poll_targets))
    starts = [poller.started[0] for poller in pollers]
    assert spread * 0.9 < starts[-1] <= spread
    gaps = [after - before for before, after in pairwise(starts)]
    assert max(gaps) - min(gaps) < 1e-5


def test_polls_start_at_the_interval_however_long_each_takes() -> None:
    assert poll_times(POLL_RESULT, 15.0, POLL_RESULT, seconds=200) == [0, 60, 120, 180]


def test_polls_of_a_target_never_overlap() -> None:
    # ScriptedPoller fails if they do.
    times = poll_times(POLL_RESULT, FOREVER, timeout="60s", seconds=400)
    assert times == [0, 60, 127.5, 202.5, 292.5]


# A rejected key


def with_key_file(path: Path) -> Target:
    path.write_text("k1\n")
    each = target(api_key=None, api_key_file=str(path), poll=poll_settings("15m"))
    assert each.api_key_file is not None
    return each


@pytest.mark.parametrize("reason", [FailureReason.AUTH, FailureReason.SECRET])
def test_a_changed_key_file_is_tried_within_seconds(tmp_path: Path, reason: FailureReason) -> None:
    poller = ScriptedPoller(PollError(reason, "no"), POLL_RESULT)

    async def main() -> None:
        async with scheduler() as polling:
            polling.start([poll_target(with_key_file(tmp_path / "key"), poller)])
            await asyncio.sleep(11)
            (tmp_path / "key").write_text("another one\n")
            await asyncio.sleep(100)

    in_virtual_time(main())
    assert poller.started == [0, 15]


def test_a_key_file_that_changed_during_the_poll_is_tried_at_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    started = []

    async def poller(_: Transport, __: float) -> PollResult:
        started.append(elapsed())
        if len(started) == 1:
            path.write_text("another one\n")
            raise UNAUTHORIZED
        return POLL_RESULT

    in_virtual_time(run_scheduler(100, poll_target(with_key_file(path), poller)))
    assert started == [0, 0]


def test_an_unchanged_key_file_does_not_shorten_the_back_off(tmp_path: Path) -> None:
    poller = ScriptedPoller(UNAUTHORIZED)
    in_virtual_time(run_scheduler(3000, poll_target(with_key_file(tmp_path / "key"), poller)))
    assert poller.started == [0, 30, 1830]


# Recorded outcomes


def test_every_poll_is_recorded_with_its_time_and_the_time_of_the_next() -> None:
    recorded = RecordedOutcomes()
    each = poll_target(target(poll=poll_settings()), ScriptedPoller(15.0, UNAVAILABLE))
    in_virtual_time(run_scheduler(62, each, record=recorded))
    assert recorded.outcomes == [
        ("one", PollOutcome(POLL_RESULT, 15, 0, NOW + 15, NOW + 60)),
        ("one", PollOutcome(UNAVAILABLE.failure, 0, 0, NOW + 60, NOW + 67.5)),
    ]


def test_an_error_in_recording_ends_the_scheduler_and_starts_no_other_poll() -> None:
    pollers = [ScriptedPoller(POLL_RESULT), ScriptedPoller(POLL_RESULT)]

    def record(name: str, _: PollOutcome) -> None:
        raise LookupError(name)

    async def main() -> None:
        async with scheduler(record) as polling:
            polling.start(
                [poll_target(target(str(at)), poller) for at, poller in enumerate(pollers)]
            )
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(10)  # other tasks end their work first

    with pytest.raises(ExceptionGroup) as caught:
        in_virtual_time(main())
    assert caught.group_contains(LookupError, match="0")
    assert [poller.started for poller in pollers] == [[0], []]


# Clocks


class SystemClocks:
    """The clocks of a machine; `suspend` stops the monotonic one, which is the event loop's."""

    def __init__(self) -> None:
        self._wall_offset = 0.0
        self.elapsed = ElapsedClock(elapsed, self.wall)

    def wall(self) -> float:
        return NOW + elapsed() + self._wall_offset

    def suspend(self, seconds: float) -> None:
        self._wall_offset += seconds


def poll_times_around(change: float) -> list[float]:
    """When polls start, by the event loop, if the wall clock jumps by so much after 70 seconds."""
    poller = ScriptedPoller(POLL_RESULT)

    async def main() -> None:
        clocks = SystemClocks()
        async with scheduler(now=clocks.wall, clock=clocks.elapsed) as polling:
            polling.start([poll_target(target(poll=poll_settings("10m")), poller)])
            await asyncio.sleep(70)
            clocks.suspend(change)
            await asyncio.sleep(1000)

    in_virtual_time(main())
    return poller.started


def test_an_overdue_poll_starts_within_a_minute_after_suspend() -> None:
    assert poll_times_around(3600) == [0, 120, 720]


def test_time_in_suspend_counts_towards_the_next_poll() -> None:
    assert poll_times_around(300) == [0, 300, 900]


def test_a_wall_clock_that_is_set_back_delays_no_poll() -> None:
    assert poll_times_around(-86_400) == [0, 600]


# Schedules that continue after a restart


def poll_times_after(state: ScheduleState, each: Target, seconds: float) -> list[float]:
    """When a target that was polled before starts to be polled again, for so many seconds."""
    poller = ScriptedPoller(UNAVAILABLE)

    async def main() -> None:
        async with scheduler() as polling:
            polling.start([poll_target(each, poller)], {each.name: state})
            await asyncio.sleep(seconds)

    in_virtual_time(main())
    return poller.started


@pytest.mark.parametrize(("next_at", "first"), [(NOW + 840, 840), (NOW, 0), (NOW - 10**6, 0)])
def test_the_next_poll_stays_due_at_its_time(next_at: float, first: float) -> None:
    state = ScheduleState(PollOutcome(POLL_RESULT, 0.25, 2, NOW - 60, next_at))
    assert poll_times_after(state, target(), first + 1) == [first]


def test_a_back_off_continues_where_it_was() -> None:
    failed = PollOutcome(UNAVAILABLE.failure, 0.25, 2, NOW, NOW + 120)
    state = ScheduleState(failed, consecutive_failures=3)
    assert poll_times_after(state, target(), 1000) == [120, 360, 840]
    assert poll_times_after(ScheduleState(), target(), 400) == [0, 30, 90, 210]


def test_a_rejected_key_waits_for_its_time_unless_its_file_changes(tmp_path: Path) -> None:
    rejected = PollOutcome(
        PollFailure(FailureReason.AUTH, "HTTP status 401"), 0.5, 1, NOW - 30, NOW + 7000
    )
    state = ScheduleState(rejected, consecutive_failures=1)
    assert poll_times_after(state, with_key_file(tmp_path / "key"), 7001) == [7000]


# Stopping


def test_a_stopped_target_is_not_polled_or_recorded_any_more() -> None:
    recorded = RecordedOutcomes()
    running, stopped = ScriptedPoller(POLL_RESULT), ScriptedPoller(30.0)

    async def main() -> None:
        async with scheduler(recorded) as polling:
            polling.start([poll_target(target("a", poll=poll_settings(timeout="60s")), stopped)])
            polling.start([poll_target(target("b", poll=poll_settings()), running)])
            await asyncio.sleep(10)
            assert "a" in polling
            polling.stop(["a"])
            assert "a" not in polling
            assert "b" in polling
            await asyncio.sleep(100)

    in_virtual_time(main())
    assert [name for name, _ in recorded.outcomes] == ["b", "b"]
    assert stopped.in_progress == 0


def test_a_target_that_is_stopped_while_it_waits_for_a_slot_is_not_polled() -> None:
    pollers = [ScriptedPoller(0.5) for _ in range(3)]
    targets = [
        poll_target(target(str(at), poll=poll_settings()), poller)
        for at, poller in enumerate(pollers)
    ]

    async def main() -> None:
        async with scheduler(limits=slots(1)) as polling:
            polling.start(targets)
            await asyncio.sleep(0.2)
            polling.stop(["1"])
            await asyncio.sleep(10)

    in_virtual_time(main())
    assert [poller.started for poller in pollers] == [[0], [], [0.5]]


def leave(main: Callable[[PollScheduler], Coroutine[Any, Any, None]]) -> list[str]:
    """Which pollers could clean up when the scheduler was left."""
    cleaned = []

    async def poller(send: Transport, now: float) -> PollResult:
        try:
            return await hang(send, now)
        finally:
            cleaned.append("poll")

    async def around() -> None:
        async with scheduler() as polling:
            polling.start(
                [poll_target(target(), poller), poll_target(target("two"), ScriptedPoller(1.0))]
            )
            await main(polling)

    in_virtual_time(around())
    return cleaned


def test_leaving_the_scheduler_cancels_its_polls() -> None:
    assert leave(lambda _: asyncio.sleep(1)) == ["poll"]


def test_an_error_in_the_body_cancels_the_polls_and_is_raised() -> None:
    async def fail(_: PollScheduler) -> None:
        await asyncio.sleep(1)
        raise LookupError

    with pytest.raises(LookupError):
        leave(fail)


def test_leaving_the_scheduler_cancels_targets_that_wait_for_the_rate_limit() -> None:
    async def main() -> float:
        limits = slots(1, 0.001)
        await limits.rate_limiter.acquire("")
        async with scheduler(limits=limits) as polling:
            polling.start([poll_target(target(), hang)])
            await asyncio.sleep(1)
        return elapsed()

    assert in_virtual_time(main()) == 1


# Polls that swallow their cancellation


def test_a_poll_that_fails_while_it_is_cancelled_is_the_last_one() -> None:
    """A task group whose own task fails in that moment does so before Python 3.13."""

    recorded = RecordedOutcomes()

    async def main() -> None:
        started = asyncio.Event()

        async def fail_when_cancelled(_send: Transport, _now: float) -> PollResult:
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                raise PollError(FailureReason.DNS, "no such host")

        async with scheduler(recorded) as polling:
            polling.start([poll_target(target(), fail_when_cancelled)])
            await started.wait()
            polling.stop(["one"])

    in_virtual_time(main())
    assert recorded.outcomes == []


def test_a_target_that_is_stopped_in_the_moment_its_poll_ends_is_not_recorded() -> None:
    recorded = RecordedOutcomes()

    async def main() -> None:
        async with scheduler(recorded) as polling:

            async def stop_itself(_send: Transport, _now: float) -> PollResult:
                polling.stop(["one"])
                return POLL_RESULT

            polling.start([poll_target(target(), stop_itself)])
            await asyncio.sleep(60)

    in_virtual_time(main())
    assert recorded.outcomes == []


def test_a_failed_group_of_requests_does_not_end_the_target() -> None:
    """Before Python 3.13 the task counts as cancelled for ever after such a failure."""

    async def refuse() -> PollResult:
        raise PollError(FailureReason.CONNECT, "refused")

    async def poller(_send: Transport, _now: float) -> PollResult:
        return (await gather_or_fail([refuse(), refuse()]))[0]

    recorded = RecordedOutcomes()
    in_virtual_time(
        run_scheduler(10, poll_target(target(poll=poll_settings()), poller), record=recorded)
    )
    assert len(recorded.outcomes) == 2


# Log


def test_each_change_of_state_is_logged_once_and_each_poll_at_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "exporter.polling.scheduler")
    each = poll_target(
        target(poll=poll_settings()),
        ScriptedPoller(
            POLL_RESULT, POLL_RESULT, UNAVAILABLE, UNAVAILABLE, UNAUTHORIZED, POLL_RESULT
        ),
    )
    in_virtual_time(run_scheduler(400, each))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("DEBUG", "poll succeeded"),
        ("INFO", "target is up"),
        ("DEBUG", "poll succeeded"),
        ("DEBUG", "poll failed"),
        ("WARNING", "target is down"),
        ("DEBUG", "poll failed"),
        ("DEBUG", "poll failed"),
        ("WARNING", "target is down"),
        ("DEBUG", "poll succeeded"),
        ("INFO", "target is up"),
    ]
    last_failure = vars(caplog.records[7])
    fields = ("target", "vendor", "duration", "reason", "detail")
    assert [last_failure[field] for field in fields] == [
        "one",
        "acme",
        0,
        "auth",
        "HTTP status 401",
    ]


def test_what_a_successful_poll_cannot_read_is_logged_when_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure = ScopeFailure("group 7", FailureReason.TIMEOUT, "slow", "group_id", "7")
    incomplete = replace(POLL_RESULT, scope_failures=(failure,), notes=("cannot read price",))
    steps = (POLL_RESULT, incomplete, incomplete, POLL_RESULT, incomplete)
    each = poll_target(target(poll=poll_settings()), ScriptedPoller(*steps))
    in_virtual_time(run_scheduler(290, each))
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage() for record in warnings] == [
        "parts of the target cannot be read",
        "data is incomplete",
    ] * 2
    fields = vars(warnings[0])
    assert [fields[name] for name in ("scope", "reason", "detail", "scopes_failing")] == [
        "group 7",
        "timeout",
        "slow",
        "1",
    ]
    assert vars(warnings[1])["detail"] == "cannot read price"
