"""The real program, the real promtool and the real Prometheus, on simulated vendors."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aside import aside

from exporter.demo.vendors import Vendors
from exporter.demo.world import Organization, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import date
    from pathlib import Path

pytestmark = pytest.mark.e2e

PROGRAM = (sys.executable, "-m", "exporter")
DAY = timedelta(days=1)
MISSING = [name for name in ("prometheus", "promtool") if not shutil.which(name)]
CONFIG = """
targets:
  - {{name: eu, vendor: affinda, base_url: "{url}", organization: oRg1,
     api_key: demo-key-1-not-real}}
"""
PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: docusage
    static_configs: [{{targets: ["{exporter}"]}}]
"""


def used(day: date) -> int:
    return 100 + day.day


WORLD = World((Organization("oRg1", "Acme", "demo-key-1-not-real", used),))


async def ended(folder: Path, *command: str) -> tuple[int | None, str, str]:
    """Exit status, output and error output of a command that is run in `folder`."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def running(folder: Path, *command: str, **environ: str) -> AsyncIterator[None]:
    """A server, which is asked to end at the end."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, **environ}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


async def asked(address: str, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers to an instant query; nothing while it is still starting."""
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client:
        try:
            reply = await client.get("/api/v1/query", params={"query": query})
            return list(reply.json()["data"]["result"])
        except (httpx.TransportError, ValueError):
            return []


async def answered(address: str, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers once there is an answer."""
    async with asyncio.timeout(30):
        while not (found := await asked(address, query)):  # noqa: ASYNC110  a server's start
            await asyncio.sleep(0.2)
    return found


async def a_year_and_now(folder: Path) -> tuple[str, list[Any], list[Any]]:
    """Fill a Prometheus with a year, let it scrape, and ask it: for bars, and for raw samples."""
    exporter, prometheus = free_address(), free_address()
    start = datetime.now(UTC).date() - 365 * DAY
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(exporter=exporter), encoding="utf-8")
    async with Vendors(WORLD).serve() as url, AsyncExitStack() as servers:
        (folder / "config.yaml").write_text(CONFIG.format(url=url), encoding="utf-8")
        labels = "--label=job=docusage", f"--label=instance={exporter}"
        status, out, err = await ended(
            folder, *PROGRAM, "backfill", f"--start={start}", "--step=1h", *labels
        )
        assert (status, err) == (0, "")
        promtool = out.splitlines()[2].replace("FOLDER", "data").split()
        assert promtool[0] == "promtool"
        assert (await ended(folder, *promtool))[0] == 0
        await servers.enter_async_context(
            running(folder, *PROGRAM, DOCUSAGE_WEB_LISTEN_ADDRESS=exporter)
        )
        await servers.enter_async_context(
            running(
                folder,
                *("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"),
                *("--storage.tsdb.retention.time=10y", f"--web.listen-address={prometheus}"),
            )
        )
        await answered(prometheus, "docusage_target_up == 1")
        bars = "max_over_time(affinda_credits_daily[1d] offset -1d)[364d:1d]"
        return (
            exporter,
            await answered(prometheus, bars),
            await answered(prometheus, "affinda_credits_daily[2d]"),
        )


@pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("CI"),
    reason=f"not installed: {' '.join(MISSING)} (Debian's package prometheus has both)",
)
def test_one_query_spans_the_past_and_the_present_without_a_seam(tmp_path: Path) -> None:
    exporter, bars, raw = aside(a_year_and_now(tmp_path))
    labels = {"job": "docusage", "instance": exporter, "target": "eu", "organization": "oRg1"}
    [series] = bars
    assert series["metric"] == labels
    assert len(series["values"]) == 364
    for moment, value in series["values"]:
        assert int(value) == used(datetime.fromtimestamp(moment, UTC).date())
    [series] = raw
    assert series["metric"] == labels | {"__name__": "affinda_credits_daily"}
    moments = [moment for moment, _ in series["values"]]
    midnight = max(moment for moment in moments if moment % 3600 == 3599) + 1
    assert midnight % 86_400 == 0
    assert moments == sorted(moments)
    assert moments[-1] > midnight
    for moment, value in series["values"]:
        assert int(value) == used(datetime.fromtimestamp(moment, UTC).date())
