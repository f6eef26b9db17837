"""The real program under clients that are slow, stuck or too many, and with few descriptors."""

from __future__ import annotations

import asyncio
import base64
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import bcrypt
import pytest
from exporter_process import MODULE, Program, running, until
from raw_http_client import open_client
from self_signed import certificate, client_context

from exporter.demo.accounts import Accounts, Group, Plan
from exporter.demo.messages import Request, SimulatedResponse
from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.e2e

CLIENTS = 300
LOGIN = b"authorization: Basic " + base64.b64encode(b"alice:secret") + b"\r\n"
GET = b"GET /metrics HTTP/1.1\r\nhost: x\r\n" + LOGIN
CERTIFICATE = certificate("server")

TOO_FEW_DESCRIPTORS = "too many open files; raise the limit (ulimit -n)"


async def send_slowly(writer: asyncio.StreamWriter, raw: bytes) -> None:
    rest = cycle(raw)
    while True:
        writer.write(bytes([next(rest)]))
        await asyncio.sleep(0.2)


async def is_silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def sends_a_request_line_slowly(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /")
    await send_slowly(writer, b"x")


async def sends_headers_slowly(writer: asyncio.StreamWriter) -> None:
    writer.write(GET)
    await send_slowly(writer, b"x: y\r\n")


async def sends_a_body_slowly(writer: asyncio.StreamWriter) -> None:
    writer.write(GET.replace(b"GET", b"POST") + b"content-length: 9999\r\n\r\n")
    await send_slowly(writer, b"x")


async def sends_many_requests(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * 1000)
        await asyncio.sleep(0.5)


async def never_reads(writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's can
    while not writer.is_closing():
        writer.write(GET + b"\r\n")
        await asyncio.sleep(0.2)


BEHAVIOURS: list[Callable[[asyncio.StreamWriter], Coroutine[None, None, None]]] = [
    is_silent,
    sends_a_request_line_slowly,
    sends_headers_slowly,
    sends_a_body_slowly,
    sends_many_requests,
    never_reads,
]


async def hostile_client(port: int, number: int, tls: ssl.SSLContext | None) -> None:
    """A client that reconnects when its connection ends; every second one with TLS."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=tls if number % 2 else None
            )
            try:
                await BEHAVIOURS[number % len(BEHAVIOURS)](writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.5)


@asynccontextmanager
async def hostile_clients(port: int, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    clients = [asyncio.create_task(hostile_client(port, number, tls)) for number in range(CLIENTS)]
    try:
        await asyncio.sleep(1)
        yield
    finally:
        for task in clients:
            task.cancel()
        await asyncio.wait(clients)


async def scrape(port: int, tls: ssl.SSLContext | None = None) -> tuple[bytes, float]:
    """The page and the seconds it took."""
    before = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(GET + b"connection: close\r\n\r\n")
    try:
        async with asyncio.timeout(10):
            return await reader.read(), time.monotonic() - before
    finally:
        writer.transport.abort()


def web_file(folder: Path, *, with_tls: bool) -> Path:
    path = folder / "web.yaml"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(10)).decode()
    text = f"basic_auth_users: {{alice: {hashed}}}\n"
    if with_tls:
        (folder / "pair.pem").write_text(CERTIFICATE.cert + CERTIFICATE.key)
        text += "tls_server_config: {cert_file: pair.pem, key_file: pair.pem}\n"
    path.write_text(text)
    return path


def config_file(folder: Path, url: str, *names: str) -> Path:
    """Targets of these names, polled every second; a group's key is its name."""
    path = folder / "config.yaml"
    lines = [
        f"- {{name: {name}, vendor: xtracta, base_url: '{url}', api_key: {name}}}" for name in names
    ]
    poll = "poll: {interval: 1s, requests_per_second: 1000, max_concurrent: 100}"
    path.write_text("\n".join([poll, "targets:", *lines]))
    return path


def started(
    folder: Path, config: Path, *arguments: str, start: tuple[str, ...] = MODULE
) -> AbstractContextManager[Program]:
    where = "--web.listen-address=127.0.0.1:0"
    return running(folder, f"--config.file={config}", where, *arguments, start=start)


def port_of(program: Program) -> int:
    return urlsplit(program.url).port or 0


@pytest.mark.parametrize("with_tls", [False, True], ids=["plain", "tls"])
def test_hostile_clients_delay_no_scrape_and_no_shutdown_by_five_seconds(
    tmp_path: Path, *, with_tls: bool
) -> None:
    tls = client_context() if with_tls else None
    config = config_file(tmp_path, "http://127.0.0.1:9", "one")
    web = web_file(tmp_path, with_tls=with_tls)

    async def main(port: int) -> None:
        durations = []
        async with hostile_clients(port, tls):
            for _ in range(5):
                page, seconds = await scrape(port, tls)
                assert page.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"docusage_exporter_build_info" in page
                durations.append(seconds)
            assert await asyncio.to_thread(program.ended_by, signal.SIGTERM) == 0
        assert max(durations) < 5

    with started(tmp_path, config, f"--web.config.file={web}") as program:
        asyncio.run(main(port_of(program)))
        assert "exception" not in program.log.read_text()
        assert "secret" not in program.log.read_text()


def healthy(name: str) -> Group:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Group(7, "G", name, (Plan(8, "P", 9, "NZD", 100, 40, start, start.replace(year=2027)),))


def test_with_64_descriptors_scrapes_are_served_and_polls_go_on_or_report_why_not(
    tmp_path: Path,
) -> None:
    world = Accounts((), (healthy("good"),))

    def hangs(request: Request) -> SimulatedResponse | None:
        return None if request.form["api_key"] == "good" else SimulatedResponse(delay=3600)

    async def main() -> None:
        async with Vendors(world, hangs).serve() as url:
            config = config_file(tmp_path, url, "good", *(f"bad{number}" for number in range(30)))
            limited = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *MODULE)
            with started(tmp_path, config, start=limited) as program:
                port, log = await asyncio.to_thread(port_of, program), program.log.read_text
                await asyncio.to_thread(until, lambda: 'is up" target=good' in log())
                async with hostile_clients(port, None):
                    for _ in range(8):
                        page, seconds = await scrape(port)
                        assert page.startswith(b"HTTP/1.1 200 OK\r\n")
                        assert seconds < 5
                        await asyncio.sleep(0.2)
                await asyncio.to_thread(until, lambda: TOO_FEW_DESCRIPTORS in log())
                polls = program.values()["docusage_target_polls_total good xtracta"]

                def has_succeeded_again() -> bool:
                    values = program.values()
                    return (
                        values["docusage_target_polls_total good xtracta"] > polls
                        and values["docusage_target_up good xtracta"] == 1
                    )

                await asyncio.to_thread(until, has_succeeded_again)
                assert await asyncio.to_thread(program.ended_by, signal.SIGTERM) == 0

    asyncio.run(main())


def resident_memory(program: Program) -> float:
    """MiB."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_an_encrypted_connection_costs_at_most_64_kib_while_it_is_held(tmp_path: Path) -> None:
    tls = client_context()
    config = config_file(tmp_path, "http://127.0.0.1:9", "one")
    web = web_file(tmp_path, with_tls=True)

    async def main(port: int) -> None:
        async with AsyncExitStack() as stack:
            held = []
            for count in (50, 300):  # what the first ones load is no cost of a connection
                for _ in range(count):
                    await stack.enter_async_context(open_client(port, tls))
                held.append(resident_memory(program))
        assert held[1] - held[0] < 300 / 16

    with started(tmp_path, config, f"--web.config.file={web}") as program:
        asyncio.run(main(port_of(program)))
