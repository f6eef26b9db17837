"""State that survives a restart or a crash of the exporter."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from vendor_calls import run
from waiting import until

from exporter.app import ServeOptions, Service, load_config
from exporter.client.client import HttpClient
from exporter.demo.accounts import Accounts, Group, Plan
from exporter.demo.vendors import Vendors
from exporter.server.sockets import bound_sockets, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

CONFIG = """
targets:
  - {{name: nz, vendor: xtracta, base_url: "{url}", api_key: demo-key-1-not-real, groups: own}}
"""


def configure(folder: Path, url: str) -> None:
    (folder / "config.yaml").write_text(CONFIG.format(url=url))


NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(7, "Yearly", 100, "NZD", 100, 40, NEW_YEAR, NEW_YEAR.replace(year=2036))
ACCOUNTS = Accounts((), (Group(456, "Acme", "demo-key-1-not-real", (PLAN,)),))
USED = 'xtracta_documents_used{target="nz",group_id="456",plan_id="7"} 40'


async def metrics_once_ready(url: str) -> str:
    """The metrics of an exporter that may still be starting, once it is ready."""
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/-/ready")).status_code == 200:
                    return (await client.get("/metrics")).text
            await asyncio.sleep(0.02)


async def run_until_ready(folder: Path) -> str:
    """Run the service until it is ready; its metrics then."""
    stop = asyncio.Event()
    [bound] = sockets = bound_sockets(["127.0.0.1:0"])
    path = folder / "config.yaml"
    options = ServeOptions(path, {}, sockets, storage_path=folder / "state")
    service = Service(options, load_config(path, {}), HttpClient("test/1"))
    running = asyncio.create_task(service.run(stop, asyncio.Event()))
    page = await metrics_once_ready(url_of(bound))
    stop.set()
    await running
    return page


def calls_over_restarts(accounts: Accounts, folder: Path) -> tuple[list[str], int]:
    """The metrics of two runs, and the number of requests to the vendor."""
    vendors = Vendors(accounts)

    async def main() -> list[str]:
        async with vendors.serve() as url:
            configure(folder, url)
            return [await run_until_ready(folder) for _ in range(2)]

    pages = run(main())
    return pages, sum(
        count for (path, _), count in vendors.calls.items() if path == "/v1/billings/usage"
    )


def test_a_restart_leaves_no_gap_and_makes_no_request(tmp_path: Path) -> None:
    pages, calls = calls_over_restarts(ACCOUNTS, tmp_path)
    assert all(USED in page for page in pages)
    assert calls == 1


def test_a_back_off_continues_after_a_restart(tmp_path: Path) -> None:
    pages, calls = calls_over_restarts(Accounts(), tmp_path)
    assert all('docusage_target_up{target="nz",vendor="xtracta"} 0' in page for page in pages)
    assert calls == 1


def test_a_crash_loop_makes_one_request(tmp_path: Path) -> None:
    vendors = Vendors(ACCOUNTS)
    state = tmp_path / "state"

    async def main() -> None:
        async with vendors.serve() as url:
            configure(tmp_path, url)
            for _ in range(3):
                async with crashing(tmp_path, state) as exporter:
                    assert USED in await metrics_once_ready(exporter)
                    await until(lambda: list(state.glob("*.json")))

    run(main())
    assert vendors.calls["/v1/billings/usage", "456"] == 1


@asynccontextmanager
async def crashing(folder: Path, state: Path) -> AsyncIterator[str]:
    """The exporter in a process of its own, killed at the end; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "--log.level=error"),
        *(f"--config.file={folder / 'config.yaml'}", f"--storage.path={state}"),
        env={**os.environ, "DOCUSAGE_WEB_LISTEN_ADDRESS": address},
    )
    try:
        yield f"http://{address}"
    finally:
        process.kill()
        await process.wait()
