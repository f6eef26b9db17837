"""Memory of plain and encrypted connections: many at a time, and idle ones."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.client import trusting_context
from benchmarks.programs import EXPORTER, Program, free_port, wait_for_page

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

REQUESTS: Final = 6000
CONCURRENT: Final = 300
IDLE: Final = 500
_REQUEST: Final = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_SETTLING: Final = 5  # seconds until all of the demo's targets have been polled
_CLOSING: Final = 2  # seconds until closed connections are gone


class ConnectionMemory(NamedTuple):
    """Resident memory in MB: at first, after each round of requests, with idle connections."""

    initial: float
    first_round: float
    second_round: float
    idle: float


def measure(folder: Path) -> dict[str, ConnectionMemory]:
    """Measure the demo with plain and with encrypted connections."""
    tls_flag = f"--web.config.file={write_tls_config(folder)}"
    return {
        "plain": _measure_demo([], None),
        "TLS": _measure_demo([tls_flag], trusting_context()),
    }


def write_tls_config(folder: Path) -> Path:
    """Write a web configuration with a self-signed certificate."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    arguments = [*command.split(), "-subj", "/CN=localhost", *files]
    subprocess.run(arguments, check=True, capture_output=True)  # noqa: S603  our own words
    path = folder / "web.yaml"
    path.write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n", "ascii")
    return path


def _measure_demo(flags: list[str], tls: ssl.SSLContext | None) -> ConnectionMemory:
    with _demo(flags) as program:
        wait_for_page(program.port, pause=0.1, tls=tls)
        return asyncio.run(_measure(program, tls))


@contextmanager
def _demo(flags: list[str]) -> Iterator[Program]:
    port = free_port()
    flags = [*flags, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen([EXPORTER, "demo", *flags], stdout=subprocess.DEVNULL)  # noqa: S603  our own words
    try:
        yield Program(process.pid, port)
    finally:
        process.terminate()
        process.wait(30)


async def _measure(program: Program, tls: ssl.SSLContext | None) -> ConnectionMemory:
    await asyncio.sleep(_SETTLING)
    initial = program.memory
    first = await _memory_after_requests(program, tls)
    second = await _memory_after_requests(program, tls)
    async with AsyncExitStack() as stack:
        for _ in range(IDLE):
            _, writer = await asyncio.open_connection("127.0.0.1", program.port, ssl=tls)
            stack.callback(writer.close)
        idle = program.memory
    return ConnectionMemory(initial, first, second, idle)


async def _memory_after_requests(program: Program, tls: ssl.SSLContext | None) -> float:
    """Memory after requests on separate connections, which are opened and closed in batches."""
    for _ in range(REQUESTS // CONCURRENT):
        opening = [
            asyncio.open_connection("127.0.0.1", program.port, ssl=tls) for _ in range(CONCURRENT)
        ]
        connections = await asyncio.gather(*opening)
        await asyncio.gather(*(_request(*connection) for connection in connections))
    await asyncio.sleep(_CLOSING)
    return program.memory


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_REQUEST)
    response = await reader.read()
    writer.close()
    if not response.startswith(b"HTTP/1.1 200 OK"):
        raise ValueError(response[:100].decode("latin-1"))
