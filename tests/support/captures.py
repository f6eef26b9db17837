"""Records and replays polls in the process of the test, without files and without a network."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from vendor_calls import KEY, run

from exporter.capture.format import Capture, save
from exporter.capture.record import Recorder, without_secrets
from exporter.capture.replay import replayed_targets
from exporter.client.client import as_transport
from exporter.demo.accounts import Accounts, Group, Organization, Plan, Workspace
from exporter.model import PollOutcome, PollResult
from exporter.polling.limits import RateLimiter
from exporter.polling.poll import PollTarget, poll_once
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

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
            tuple(Workspace(f"w{each}", f"Name {each}", lambda _: 1) for each in range(1, 4)),
        ),
    ),
    (Group(481, "Head", KEY, (PLAN,), subgroups=(Group(482, "Branch", plans=(PLAN,)),)),),
    now=lambda: datetime(2026, 5, 17, 6, 40, tzinfo=UTC),
)


class Probe(NamedTuple):
    """A capture, and the outcomes that were captured."""

    capture: Capture
    outcomes: list[PollOutcome]


def recorded(
    targets: Sequence[Target],
    round_tripper: RoundTripper,
    proxy: str | None = None,
    create_poller: Callable[[Any], Poller] | None = None,
) -> Probe:
    """One poll of each target, captured."""
    recorders = [Recorder(target, proxy) for target in targets]

    async def poll(recorder: Recorder) -> PollOutcome:
        create = create_poller or VENDORS[recorder.target.vendor].create_poller
        poll_target = recorder.poll_target(create, round_tripper, lambda: NOW)
        attempt = await poll_once(poll_target, RateLimiter(1000.0), lambda: NOW)
        return PollOutcome(*attempt, at=NOW + 1, next_at=NOW + 1)

    async def main() -> list[PollOutcome]:
        return await asyncio.gather(*map(poll, recorders))

    outcomes = run(main())
    captured = tuple(
        recorder.result(outcome) for recorder, outcome in zip(recorders, outcomes, strict=True)
    )
    keys = {key for recorder in recorders for key in recorder.keys}
    credentials = {each for recorder in recorders for each in recorder.credentials}
    capture = Capture("1.0", "3.11", NOW + 2, is_anonymized=False, targets=captured)
    return Probe(without_secrets(capture, keys, credentials), outcomes)


def replayed(capture: Capture) -> list[PollOutcome]:
    """The outcomes of a replay."""

    async def main() -> list[PollOutcome]:
        return await asyncio.gather(
            *(
                each.poll(
                    PollTarget(
                        each.target,
                        VENDORS[each.target.vendor].create_poller(each.target),
                        as_transport(each.round_trip, each.now),
                    )
                )
                for each in replayed_targets(capture, VENDORS)
            )
        )

    return run(main())


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
