"""Startup: what is not imported, and the order of the first polls and a reload."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

from exporter_process import affinda_target, configuration, xtracta_target
from raw_http_client import wait_until

from exporter.app import ServeOptions, Service, load_config
from exporter.client.client import HttpClient
from exporter.polling.scheduler import PollScheduler
from exporter.server.sockets import bound_sockets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from exporter.config.models import Config
    from exporter.polling.sharding import Shard

NOWHERE = "http://127.0.0.1:9"  # nothing listens there
LOADED = """
import linecache, os, sys
from pathlib import Path
from exporter.cli import serve
from exporter.app import HttpClient, create_poll_target
config = serve.load_config(Path(sys.argv[1]), os.environ)
client = HttpClient("test/1")
targets = [create_poll_target(target, client) for target in config.targets]
print(*sys.modules)
print(*(name for name in linecache.cache if "/exporter/" in name))
"""
OF_OTHER_COMMANDS = {
    *("exporter.backfill", "exporter.demo", "exporter.reports", "exporter.cli.healthcheck"),
    *("exporter.cli.probe", "exporter.capture.record", "exporter.config.json_schema"),
    "exporter.web.web_config.loader",
    "exporter.web.web_config.schema",
    "exporter.web.web_config.tls",
}
OF_THE_FIRST_POLL = {"httpcore", "anyio", "h11"}
OF_NOBODY = {"click", "rich", "pygments", "h2", "socksio", "email_validator", "pydantic.networks"}


def write_config(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(configuration(affinda_target(NOWHERE), xtracta_target(NOWHERE)))
    return path


def test_serve_imports_and_reads_only_what_it_needs_until_its_first_poll(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", LOADED, write_config(tmp_path)],
        capture_output=True,
        check=True,
        timeout=30,
        text=True,
    )
    modules, sources = (set(line.split()) for line in done.stdout.split("\n")[:2])
    assert {"exporter.app", "httpx"} <= modules
    assert modules & (OF_OTHER_COMMANDS | OF_THE_FIRST_POLL | OF_NOBODY) == set()
    assert sources == set()  # pydantic would read them for the docstrings of fields


def test_a_reload_requested_during_startup_runs_after_the_first_polls_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, order = write_config(tmp_path), list[str]()
    config = load_config(path, {})

    def start(*_: object) -> None:
        order.append("polls begin")

    def read_again(path: Path, environ: Mapping[str, str], shard: Shard) -> Config:
        order.append("read again")
        return load_config(path, environ, shard)

    monkeypatch.setattr("exporter.app.load_config", read_again)
    monkeypatch.setattr(PollScheduler, "start", start)

    async def main() -> None:
        options = ServeOptions(path, {}, bound_sockets(["127.0.0.1:0"]))
        service = Service(options, config, HttpClient("test/1"))
        stop, reload_event = asyncio.Event(), asyncio.Event()
        reload_event.set()
        running = asyncio.create_task(service.run(stop, reload_event))
        await wait_until(lambda: len(order) > 1)
        stop.set()
        await running

    asyncio.run(main())
    assert order[:2] == ["polls begin", "read again"]
