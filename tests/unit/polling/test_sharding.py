"""Several exporters share a configuration: every target is polled, and by one of them alone."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import ChainMap, Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import free_port

from exporter.cli.main import run
from exporter.demo.accounts import Accounts, Organization
from exporter.demo.vendors import Vendors
from exporter.polling.sharding import Shard, ShardError, bucket

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
COUNTS = st.integers(1, 200)
THOUSAND = [f"target-{number}" for number in range(1000)]


@pytest.mark.parametrize(
    ("text", "shard"),
    [
        ("0/1", Shard(0, 1)),
        ("3/4", Shard(3, 4)),
        ("999/1000", Shard(999, 1000)),
        ("docusage-exporter-3/4", Shard(3, 4)),
        ("a.b-0/2", Shard(0, 2)),
    ],
)
def test_a_shard_is_written_with_its_number_or_its_pod_s_name(text: str, shard: Shard) -> None:
    assert Shard.parse(text) == shard


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "4/4",
        "0/0",
        "-1/4",
        "1/1001",
        "a/4",
        "pod/4",
        "1/2/3",
        " 1/4",
        "1/4\n",
        "\u0661/4",
        "pod3/4",
    ],
)
def test_anything_else_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ShardError, match="is no shard; write i/n with i from 0 to n-1"):
        Shard.parse(text)
    assert run([], {"DOCUSAGE_SHARD": text or "nothing"}) == 1
    assert "is no shard" in capsys.readouterr().err


@given(NAMES, COUNTS)
def test_every_target_belongs_to_one_shard(name: str, count: int) -> None:
    assert 0 <= bucket(name, count) < count


@given(NAMES, COUNTS)
def test_with_one_shard_more_a_target_stays_or_moves_to_the_new_one(name: str, count: int) -> None:
    assert bucket(name, count + 1) in {bucket(name, count), count}


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_one_shard_more_takes_its_equal_share(count: int) -> None:
    moved = sum(bucket(name, count + 1) != bucket(name, count) for name in THOUSAND)
    expected = 1000 / (count + 1)
    assert abs(moved - expected) < 4 * expected**0.5


@pytest.mark.parametrize("count", [2, 4, 5, 10])
def test_shards_are_about_equally_large(count: int) -> None:
    sizes = Counter(bucket(name, count) for name in THOUSAND)
    assert len(sizes) == count
    expected = 1000 / count
    assert max(abs(size - expected) for size in sizes.values()) < 4 * expected**0.5


@pytest.mark.parametrize(
    ("name", "shards"), [("acme-eu", [0, 1, 1, 1, 1]), ("acme-nz", [0, 1, 2, 2, 2])]
)
def test_the_shard_of_a_name_never_changes_between_versions(name: str, shards: list[int]) -> None:
    assert [bucket(name, count) for count in range(1, 6)] == shards


@pytest.mark.parametrize(("shard", "words"), [(Shard(0, 1), ""), (Shard(2, 5), "shard 2 of 5")])
def test_a_shard_says_which_it_is_where_there_are_several(shard: Shard, words: str) -> None:
    assert str(shard) == words


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
    """The real program as one shard."""

    url: str
    process: asyncio.subprocess.Process

    async def shown(self) -> dict[str, float]:
        """The credits of the current day by target, once all its targets are polled."""
        async with asyncio.timeout(20):
            while await asyncio.to_thread(get, f"{self.url}/-/ready") is None:  # noqa: ASYNC110  told by another process
                await asyncio.sleep(0.05)
        page = await asyncio.to_thread(get, f"{self.url}/metrics")
        found = re.findall(
            r'^affinda_credits_daily\{target="([^"]+)".*?\} (\S+)$', page or "", re.MULTILINE
        )
        return {name: float(value) for name, value in found}

    async def stop(self) -> None:
        self.process.terminate()
        assert await self.process.wait() == 0


def get(url: str) -> str | None:
    """What stands there; None while there is nothing."""
    try:
        with urlopen(url, timeout=5) as reply:  # noqa: S310  http, on loopback
            return str(reply.read().decode())
    except OSError:
        return None


async def started(config: Path, shard: str) -> Exporter:
    port = free_port()
    flags = (
        f"--config.file={config}",
        f"--shard={shard}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    command = (sys.executable, "-m", "exporter", *flags)
    process = await asyncio.create_subprocess_exec(*command, env={})  # nine: none is measured
    return Exporter(f"http://127.0.0.1:{port}", process)


async def shown_by(exporters: Iterable[Exporter]) -> list[dict[str, float]]:
    return [await exporter.shown() for exporter in exporters]


def polled(vendors: Vendors) -> dict[str, int]:
    """How often each organization's usage was asked for since the last time."""
    found = {account: n for (path, account), n in vendors.calls.items() if path == "/v3/usage"}
    vendors.calls.clear()
    return found


ONCE = {organization.identifier: 1 for organization in ACCOUNTS.organizations}
ALL = {f"target-{number}": 7.0 for number in range(40)}


async def from_four_to_five(vendors: Vendors, config: Path) -> None:
    """As a StatefulSet does it: the new one first, then the others from the last to the first."""
    running = [await started(config, shard) for shard in ("0/4", "1/4", "2/4", "pod-3/4")]
    four = await shown_by(running)
    assert (sum(map(len, four)), dict(ChainMap(*four))) == (40, ALL)
    assert polled(vendors) == ONCE

    await running.pop().stop()
    running += [await started(config, shard) for shard in ("3/5", "4/5")]
    both = await shown_by(running)
    # Some are polled twice for a while and none is missing: sums over `max without (instance)`
    # stay what they were.
    assert sum(map(len, both)) > 40
    assert dict(ChainMap(*both)) == ALL

    for exporter in running[:3]:
        await exporter.stop()
    running[:3] = [await started(config, shard) for shard in ("0/5", "1/5", "2/5")]
    five = await shown_by(running)
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
