from __future__ import annotations

import asyncio
import json
import re
import sys
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from programs import free_port, is_listening, program

from exporter.demo.accounts import Accounts, Organization
from exporter.demo.vendors import Vendors
from grafana.generator.catalogue import panel_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PROMETHEUS = Path(__file__).parent.parent.parent / "prometheus"
# The period must end later than now, as Prometheus sees it: the simulated vendor is in this month.
TODAY = datetime.now(UTC).date().replace(day=2)
NOON = datetime(TODAY.year, TODAY.month, 2, 12, tzinfo=UTC)
NEXT_MONTH = NOON + timedelta(days=31)
USAGE = {TODAY: 300}  # of the 1000 credits of each month
CONFIG = """
poll: {{interval: 1s, timeout: 1s, stale_after: 30s}}
targets:
  - name: acme
    vendor: affinda
    base_url: {vendors}
    organization: mEFayXdO
    api_key: a-key
    allowance: {{credits: 1000, period: month}}
"""
LABELS = {
    "alertname": "DocusageAllowanceLow",
    "job": "docusage",
    "target": "acme",
    "vendor": "affinda",
    "account": "mEFayXdO",
    "allowance": "credits",
    "severity": "warning",
}
ANNOTATIONS = {
    "summary": "An allowance is low and does not last.",
    "runbook_url": "https://github.com/docusage/docusage-exporter/blob/main/prometheus/RUNBOOK.md"
    "#docusageallowancelow",
    "dashboard_url": "http://localhost:3000/d/docusage-overview"
    f"?viewPanel={panel_id('docusage-overview', 'Allowances')}&var-job=docusage&var-target=acme",
}
DESCRIPTION = "Acme, monthly credits (target acme): 150 of 1,000 credits are left (15%)."


@asynccontextmanager
async def running(log: Path, *command: str) -> AsyncIterator[None]:
    """A program, ended with the context; AssertionError with its log where it ended before."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out)
    try:
        yield
    finally:
        assert process.returncode is None, f"it ended: see {log}"
        process.terminate()
        await process.wait()


async def until(wanted: Callable[[], Awaitable[bool]]) -> None:
    """Returns as soon as it is so; the test's own deadline ends it otherwise."""
    while not await wanted():  # noqa: ASYNC110  other programs set no event of ours
        await asyncio.sleep(0.2)


@dataclass
class Webhook:
    """What Alertmanager sends, each alert of each message."""

    alerts: list[dict[str, Any]] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        assert length
        message = json.loads(await reader.readexactly(int(length[1])))
        self.alerts += message["alerts"]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    def low(self, status: str) -> list[dict[str, Any]]:
        return [
            alert
            for alert in self.alerts
            if alert["labels"]["alertname"] == "DocusageAllowanceLow" and alert["status"] == status
        ]


def configured(folder: Path, exporters: list[int], alertmanager: int, webhook: str) -> None:
    """The examples of the repository, with short times and the addresses of this test."""
    (folder / "rules").mkdir()
    for path in (PROMETHEUS / "rules").glob("*.yml"):
        text = re.sub(r"(for|interval): \w+", r"\1: 1s", path.read_text())
        (folder / "rules" / path.name).write_text(text)
    text = (PROMETHEUS / "prometheus.yml").read_text()
    text = text.replace("interval: 1m", "interval: 1s")
    text = text.replace("localhost:9093", f"127.0.0.1:{alertmanager}")
    for example, port in zip((10086, 10087), exporters, strict=True):
        text = text.replace(f"localhost:{example}", f"127.0.0.1:{port}")
    (folder / "prometheus.yml").write_text(text)
    text = (PROMETHEUS / "alertmanager.yml").read_text()
    text = text.replace("http://localhost:9095/", webhook)
    text = text.replace("route:\n", "route:\n  group_wait: 0s\n  group_interval: 1s\n")
    (folder / "alertmanager.yml").write_text(text)


def exporter(folder: Path, port: int) -> AbstractAsyncContextManager[None]:
    """An exporter of the configuration in `folder`."""
    return running(
        folder / f"exporter-{port}.log",
        *(sys.executable, "-m", "exporter"),
        f"--config.file={folder}/config.yaml",
        f"--web.listen-address=127.0.0.1:{port}",
    )


@asynccontextmanager
async def monitoring(
    folder: Path, vendors: Vendors, webhook: Webhook, exporters: list[int]
) -> AsyncIterator[str]:
    """The vendors, Prometheus and Alertmanager; gives the URL of Prometheus."""
    prometheus, alertmanager = free_port(), free_port()
    at = "127.0.0.1:"
    async with AsyncExitStack() as stack:
        config = CONFIG.format(vendors=await stack.enter_async_context(vendors.serve()))
        (folder / "config.yaml").write_text(config)
        configured(
            folder, exporters, alertmanager, await stack.enter_async_context(webhook.serve())
        )
        await stack.enter_async_context(
            running(
                folder / "alertmanager.log",
                program("prometheus-alertmanager"),
                f"--config.file={folder}/alertmanager.yml",
                f"--storage.path={folder}/alertmanager",
                f"--web.listen-address={at}{alertmanager}",
                "--cluster.listen-address=",
            )
        )
        await stack.enter_async_context(
            running(
                folder / "prometheus.log",
                program("prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/prometheus",
                f"--web.listen-address={at}{prometheus}",
                "--web.enable-lifecycle",
            )
        )
        while not is_listening(prometheus):  # noqa: ASYNC110  as above
            await asyncio.sleep(0.1)
        yield f"http://{at}{prometheus}"


@asynccontextmanager
async def everything(folder: Path, vendors: Vendors, webhook: Webhook) -> AsyncIterator[str]:
    """Two replicas of the exporter, Prometheus and Alertmanager; gives Prometheus' URL."""
    exporters = [free_port(), free_port()]
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(monitoring(folder, vendors, webhook, exporters))
        for port in exporters:
            await stack.enter_async_context(exporter(folder, port))
        yield url


async def answers(http: httpx.AsyncClient, query: str) -> list[str]:
    """The values of an instant query."""
    answer = await http.get("/api/v1/query", params={"query": query})
    found = answer.json()["data"]["result"] if answer.is_success else []
    return [series["value"][1] for series in found]


@pytest.mark.e2e
def test_an_allowance_that_falls_is_alerted_once_and_its_renewal_ends_the_alert(
    tmp_path: Path,
) -> None:
    usage = dict(USAGE)
    moment = NOON
    organization = Organization("mEFayXdO", "Acme", "a-key", usage)
    vendors = Vendors(Accounts((organization,), (), lambda: moment))
    webhook = Webhook()

    async def main() -> None:
        nonlocal moment
        async with (
            everything(tmp_path, vendors, webhook) as prometheus,
            httpx.AsyncClient(base_url=prometheus, trust_env=False) as http,
        ):

            async def both_replicas_say(ratio: str) -> bool:
                found = await answers(http, f"docusage_allowance_available_ratio == {ratio}")
                return found == [ratio] * 2

            async def is_known(status: str) -> bool:
                return bool(webhook.low(status))

            await until(lambda: both_replicas_say("0.7"))
            assert webhook.low("firing") == []
            usage[TODAY] = 850
            await until(lambda: is_known("firing"))
            await until(lambda: both_replicas_say("0.15"))
            assert await answers(http, 'ALERTS{alertname="DocusageAllowanceLow"}') == ["1"]
            moment = NEXT_MONTH
            await until(lambda: is_known("resolved"))
            await until(lambda: both_replicas_say("1"))
            (resolved,) = webhook.low("resolved")
            for alert in (*webhook.low("firing"), resolved):
                assert alert["labels"] == LABELS
                description = alert["annotations"].pop("description")
                assert description.startswith(DESCRIPTION)
                assert alert["annotations"] == ANNOTATIONS

    asyncio.run(asyncio.wait_for(main(), 40))


@pytest.mark.e2e
def test_an_exporter_that_is_replaced_by_another_address_resolves_nothing(tmp_path: Path) -> None:
    moment = NOON
    organization = Organization("mEFayXdO", "Acme", "a-key", {TODAY: 850})
    vendors = Vendors(Accounts((organization,), (), lambda: moment))
    webhook = Webhook()
    old, new = free_port(), free_port()
    low = 'ALERTS{alertname="DocusageAllowanceLow", alertstate="firing"}'

    async def main() -> None:
        async with (
            monitoring(tmp_path, vendors, webhook, [old, old]) as prometheus,
            httpx.AsyncClient(base_url=prometheus, trust_env=False) as http,
        ):

            async def has(query: str, *wanted: str) -> bool:
                return await answers(http, query) == list(wanted)

            async def is_known() -> bool:
                return bool(webhook.low("firing"))

            async with exporter(tmp_path, old):
                await until(is_known)
            path = tmp_path / "prometheus.yml"
            path.write_text(path.read_text().replace(f":{old}", f":{new}"))
            assert (await http.post("/-/reload")).is_success
            # As when a pod is deleted: the address is unknown before its successor's answers.
            await until(lambda: has("up", "0"))
            await until(lambda: has("count(docusage_target_up)"))
            assert await has(low, "1")
            async with exporter(tmp_path, new):
                await until(lambda: has("docusage_target_up", "1"))
                for _ in range(5):
                    assert await has(low, "1")
                    await asyncio.sleep(1)
            assert webhook.low("resolved") == []

    asyncio.run(asyncio.wait_for(main(), 60))
