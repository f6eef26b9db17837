"""The start: what it does without, and that no scrape waits for what only polls need."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from threading import Event
from typing import TYPE_CHECKING

from program import affinda_target, configuration, xtracta_target
from raw_http_client import LAST_GET, open_client, status_code, wait_until

from exporter.server.sockets import bound_sockets
from exporter.service import Options, Service, load_config
from exporter.vendors._http import Network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from exporter.config.models import Config
    from exporter.sharding import Shard

NOWHERE = "http://127.0.0.1:9"  # nothing listens there
PATIENCE = 10.0
LOADED = """
import os, sys
from pathlib import Path
from exporter import cli
cli.load_config(Path(sys.argv[1]), os.environ)
print(*sys.modules)
"""
# Of the program, and what these bring along.
NOT_NEEDED = {
    *("httpx", "httpcore", "anyio", "h11", "certifi", "lxml"),
    *("exporter.backfill", "exporter.demo", "exporter.healthcheck"),
    *("exporter.probe", "exporter.storage.files", "exporter.storage.format"),
    *("exporter.vendors._httpx", "exporter.web.config", "exporter.web.file", "exporter.web.tls"),
}


def written(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(configuration(affinda_target(NOWHERE), xtracta_target(NOWHERE)))
    return path


def test_serving_starts_without_what_only_polls_or_other_commands_need(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", LOADED, written(tmp_path)],
        capture_output=True,
        check=True,
        timeout=30,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert "exporter.service" in loaded
    assert loaded & NOT_NEEDED == set()


class Slow(Network):
    """Loads what calls need when it is told to."""

    def __init__(self) -> None:
        super().__init__("test/1")
        self.go = Event()
        self.is_loaded = False

    def load(self) -> None:
        self.is_loaded = self.go.wait(PATIENCE)
        super().load()


def test_the_first_page_shows_every_target_while_what_polls_need_is_still_being_loaded(
    tmp_path: Path,
) -> None:
    path, network = written(tmp_path), Slow()
    options = Options(path, {}, bound_sockets(["127.0.0.1:0"]))
    port = options.sockets[0].getsockname()[1]

    async def main() -> tuple[bytes, bytes]:
        service = Service(options, load_config(path, {}), network)
        stop = asyncio.Event()
        running = asyncio.create_task(service.run(stop, asyncio.Event()))
        first = await page()
        assert not network.is_loaded
        network.go.set()
        while b'docusage_target_up{target="acme-x"' not in (last := await page()):  # noqa: ASYNC110  pages set no event
            await asyncio.sleep(0.05)
        stop.set()
        await running
        return first, last

    async def page() -> bytes:
        async with open_client(port) as client:
            client.write(LAST_GET.replace(b"GET / ", b"GET /metrics "))
            return await client.read_all()

    async def bounded() -> tuple[bytes, bytes]:
        return await asyncio.wait_for(main(), PATIENCE)

    first, last = asyncio.run(bounded())
    for target in (b"acme-a", b"acme-x"):
        assert b'docusage_target_interval_seconds{target="%s"' % target in first
        assert b'docusage_target_up{target="%s"' % target not in first
    assert status_code(first) == status_code(last) == 200


def test_a_reload_asked_for_while_the_program_starts_comes_after_the_first_polls_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, order = written(tmp_path), list[str]()
    config = load_config(path, {})

    class Noting(Network):
        def load(self) -> None:
            super().load()
            order.append("polls begin")

    def read_again(path: Path, environ: Mapping[str, str], shard: Shard) -> Config:
        order.append("read again")
        return load_config(path, environ, shard)

    monkeypatch.setattr("exporter.service.load_config", read_again)

    async def main() -> None:
        options = Options(path, {}, bound_sockets(["127.0.0.1:0"]))
        service = Service(options, config, Noting("test/1"))
        stop, hang_up = asyncio.Event(), asyncio.Event()
        hang_up.set()
        running = asyncio.create_task(service.run(stop, hang_up))
        await wait_until(lambda: len(order) > 1)
        stop.set()
        await running

    asyncio.run(main())
    assert order == ["polls begin", "read again"]
