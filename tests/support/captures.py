"""Records and replays polls in the process of the test, without files and without a network."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from vendor_calls import KEY, run

from exporter.capture.format import Capture, save
from exporter.capture.record import Recorder, without_secrets
from exporter.capture.replay import ReplayedTarget
from exporter.client.client import as_transport
from exporter.demo.accounts import Accounts, Group, Organization, Plan, Scope
from exporter.model import PollOutcome, PollResult
from exporter.polling.limits import RateLimiter
from exporter.polling.poll import PollTarget, poll_once
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporter.capture.record import ProbedTarget
    from exporter.client.client import RoundTripper
    from exporter.config.models import Target
    from exporter.model import PollFailure
    from exporter.vendors.base import Poller

NOW = 1_779_000_000.25  # 2026-05-17

PLAN = Plan(
    *(71, "Yearly", 4900, "NZD", 1000, 300),
    datetime(2026, 4, 17, tzinfo=UTC),
    datetime(2027, 4, 17, tzinfo=UTC),
)
ACCOUNTS = Accounts(
    (
        Organization(
            "oRg1",
            "Acme",
            KEY,
            lambda day: day.day,
            tuple(Scope(f"w{each}", f"Name {each}", lambda _: 1) for each in range(1, 4)),
        ),
    ),
    (Group(481, "Head", KEY, (PLAN,), subgroups=(Group(482, "Branch", plans=(PLAN,)),)),),
    now=lambda: datetime(2026, 5, 17, 6, 40, tzinfo=UTC),
)


class Probe(NamedTuple):
    """A capture, and the outcomes that were captured."""

    capture: Capture
    outcomes: list[PollOutcome]


class ScriptedTarget:
    """A target whose responses come from a function, at a fixed time; see `ProbedTarget`."""

    def __init__(self, target: Target, round_tripper: RoundTripper) -> None:
        self.target = target
        self.round_trip = round_tripper

    def now(self) -> float:
        return NOW

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        attempt = await poll_once(poll_target, RateLimiter(1000.0), self.now)
        return PollOutcome(*attempt, at=NOW + 1, next_at=NOW + 1)


async def poll(probed: ProbedTarget, poller: Poller | None) -> PollOutcome:
    """The outcome of a poll, by the vendor's poller unless there is another one."""
    target = probed.target
    transport = as_transport(probed.round_trip, probed.now)
    poller = poller or VENDORS[target.vendor].create_poller(target)
    return await probed.poll(PollTarget(target, poller, transport))


def outcomes_of(probed: Sequence[ProbedTarget], poller: Poller | None = None) -> list[PollOutcome]:
    async def main() -> list[PollOutcome]:
        return await asyncio.gather(*(poll(each, poller) for each in probed))

    return run(main())


def recorded(
    targets: Sequence[Target],
    round_tripper: RoundTripper,
    proxy: str | None = None,
    poller: Poller | None = None,
) -> Probe:
    """One poll of each target, captured."""
    recorders = [Recorder(ScriptedTarget(target, round_tripper), proxy) for target in targets]
    outcomes = outcomes_of(recorders, poller)
    captured = tuple(recorder.captured for recorder in recorders)
    capture = Capture("1.0", "3.11", NOW + 2, is_anonymized=False, targets=captured)
    return Probe(without_secrets(capture, recorders), outcomes)


def replayed(capture: Capture) -> list[PollOutcome]:
    """The outcomes of a replay."""
    return outcomes_of([ReplayedTarget(target) for target in capture.targets])


def figures(result: PollResult | PollFailure) -> object:
    """What a successful poll found, without identifiers and names."""
    assert isinstance(result, PollResult)
    return (
        [(sample.metric.name, sample.value) for sample in result.samples],
        [
            replace(each, account="", allowance="", account_name="", allowance_name="")
            for each in result.allowances
        ],
        result.anomalies,
        [failure.reason for failure in result.scope_failures],
    )


def files(capture: Capture, folder: Path) -> dict[str, bytes]:
    """Every file of a capture by its path, as it is written into a new folder."""
    folder.mkdir()
    save(capture, folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
