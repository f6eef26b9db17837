"""Several exporters share a configuration: each target is polled by exactly one of them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import ChainMap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest
from exporter_process import text_at
from programs import free_port

from exporter.demo.accounts import Accounts, Organization
from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ACCOUNTS = Accounts(
    tuple(
        Organization(f"org{number:05}", f"Org {number}", f"made-up-key-{number:05}", lambda _: 7)
        for number in range(40)
    ),
    (),
    lambda: datetime(2026, 11, 18, 12, tzinfo=UTC),
)


def configuration(base_url: str) -> str:
    targets = [
        {
            "name": f"target-{number}",
            "vendor": "affinda",
            "base_url": base_url,
            "organization": organization.identifier,
            "api_key": organization.api_key,
        }
        for number, organization in enumerate(ACCOUNTS.organizations)
    ]
    return json.dumps({"poll": {"interval": "1h", "requests_per_second": 1000}, "targets": targets})


class Exporter(NamedTuple):
    """The exporter as one shard, in a process of its own."""

    url: str
    process: asyncio.subprocess.Process

    async def values(self) -> dict[str, float]:
        """The credits of the current day by target, once all its targets are polled."""
        async with asyncio.timeout(20):
            while await asyncio.to_thread(text_at, f"{self.url}/-/ready") is None:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.05)
        page = await asyncio.to_thread(text_at, f"{self.url}/metrics")
        found = re.findall(
            r'^affinda_credits_daily\{target="([^"]+)".*?\} (\S+)$', page or "", re.MULTILINE
        )
        return {name: float(value) for name, value in found}

    async def stop(self) -> None:
        self.process.terminate()
        assert await self.process.wait() == 0


async def start(config: Path, shard: str) -> Exporter:
    port = free_port()
    flags = (
        f"--config.file={config}",
        f"--shard={shard}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    command = (sys.executable, "-m", "exporter", *flags)
    process = await asyncio.create_subprocess_exec(*command, env={})  # not measured
    return Exporter(f"http://127.0.0.1:{port}", process)


async def values_of(exporters: Iterable[Exporter]) -> list[dict[str, float]]:
    return [await exporter.values() for exporter in exporters]


def polled(vendors: Vendors) -> dict[str, int]:
    """How often each organization was polled since the last call."""
    found = {account: n for (path, account), n in vendors.calls.items() if path == "/v3/usage"}
    vendors.calls.clear()
    return found


ONCE = {organization.identifier: 1 for organization in ACCOUNTS.organizations}
ALL = {f"target-{number}": 7.0 for number in range(40)}


async def from_four_to_five(vendors: Vendors, config: Path) -> None:
    """Scale as a StatefulSet does: start the new one, then restart the others in reverse order."""
    running = [await start(config, shard) for shard in ("0/4", "1/4", "2/4", "pod-3/4")]
    four = await values_of(running)
    assert (sum(map(len, four)), dict(ChainMap(*four))) == (40, ALL)
    assert polled(vendors) == ONCE

    await running.pop().stop()
    running += [await start(config, shard) for shard in ("3/5", "4/5")]
    both = await values_of(running)
    # Some are polled twice for a while and none is missing: sums over `max without (instance)`
    # stay what they were.
    assert sum(map(len, both)) > 40
    assert dict(ChainMap(*both)) == ALL

    for exporter in running[:3]:
        await exporter.stop()
    running[:3] = [await start(config, shard) for shard in ("0/5", "1/5", "2/5")]
    five = await values_of(running)
    assert (sum(map(len, five)), dict(ChainMap(*five))) == (40, ALL)
    assert polled(vendors) == ONCE
    assert all(after.keys() <= before.keys() for before, after in zip(four, five, strict=False))
    for exporter in running:
        await exporter.stop()


@pytest.mark.e2e
def test_every_target_is_polled_by_one_process_with_four_and_with_five(tmp_path: Path) -> None:
    async def scenario() -> None:
        vendors = Vendors(ACCOUNTS)
        async with vendors.serve() as base_url:
            config = tmp_path / "config.yaml"
            config.write_text(configuration(base_url), encoding="utf-8")
            await from_four_to_five(vendors, config)

    asyncio.run(scenario())
