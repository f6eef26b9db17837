"""Memory that connections cost: plain and encrypted, many at a time, and held without a request."""

from __future__ import annotations

import asyncio
import subprocess
import time
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.client import trusting_context
from benchmarks.programs import EXPORTER, Program, free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

REQUESTS: Final = 6000
AT_A_TIME: Final = 300
HELD: Final = 500
_GET: Final = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_START_SECONDS: Final = 30
_SETTLING: Final = 5  # seconds until all of the demo's targets have been polled
_CLOSING: Final = 2


class Memory(NamedTuple):
    """Resident memory in MB: idle, after each round of requests, and with connections held."""

    idle: float
    first_round: float
    second_round: float
    held: float


def measured(folder: Path) -> dict[str, Memory]:
    """The demo's memory with plain and with encrypted connections."""
    certify(folder)
    return {
        "plain HTTP": _measure(folder, None),
        "TLS": _measure(folder, trusting_context()),
    }


def certify(folder: Path) -> Path:
    """A web configuration with a certificate of its own."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    whole = [*command.split(), "-subj", "/CN=localhost", *files]
    subprocess.run(whole, check=True, capture_output=True)  # noqa: S603  our own words
    path = folder / "web.yaml"
    path.write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n", "ascii")
    return path


def _measure(folder: Path, tls: ssl.SSLContext | None) -> Memory:
    flags = [f"--web.config.file={folder / 'web.yaml'}"] if tls else []
    with _demo(flags) as program:
        return asyncio.run(_load(program, tls))


@contextmanager
def _demo(flags: list[str]) -> Iterator[Program]:
    port = free_port()
    flags = [*flags, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen([EXPORTER, "demo", *flags], stdout=subprocess.DEVNULL)  # noqa: S603  our own program
    try:
        yield Program(process.pid, port)
    finally:
        process.terminate()
        process.wait(30)


async def _load(program: Program, tls: ssl.SSLContext | None) -> Memory:
    await _until_answered(program, tls)
    await asyncio.sleep(_SETTLING)
    idle = program.memory
    first = await _round(program, tls)
    second = await _round(program, tls)
    async with AsyncExitStack() as stack:
        for _ in range(HELD):
            _, writer = await asyncio.open_connection("127.0.0.1", program.port, ssl=tls)
            stack.callback(writer.close)
        held = program.memory
    return Memory(idle, first, second, held)


async def _until_answered(program: Program, tls: ssl.SSLContext | None) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            await _request(program, tls)
            return
        await asyncio.sleep(0.1)
    raise TimeoutError


async def _round(program: Program, tls: ssl.SSLContext | None) -> float:
    """Memory after requests on connections of their own: all opened, then answered, then closed."""
    for _ in range(REQUESTS // AT_A_TIME):
        opened = [
            asyncio.open_connection("127.0.0.1", program.port, ssl=tls) for _ in range(AT_A_TIME)
        ]
        connections = await asyncio.gather(*opened)
        await asyncio.gather(*(_answer(*connection) for connection in connections))
    await asyncio.sleep(_CLOSING)
    return program.memory


async def _request(program: Program, tls: ssl.SSLContext | None) -> None:
    await _answer(*await asyncio.open_connection("127.0.0.1", program.port, ssl=tls))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_GET)
    reply = await reader.read()
    writer.close()
    if not reply.startswith(b"HTTP/1.1 200 OK"):
        raise ValueError(reply[:100].decode("latin-1"))
