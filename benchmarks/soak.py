"""A soak: the real program among failing vendors, scrapes, reloads and rude clients, for minutes.

Half of the targets are well, half of them fail in changing ways. Twice the faults stop, after a
while to warm up and at the end; memory, descriptors, threads and tasks are then to be the same, and
every target is to be up. Prints the figures; the exit status tells.

SOAK_SECONDS (120) is how long it goes on, SOAK_TARGETS (300) how many targets there are.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from raw_peer import peer

from benchmarks.faults import Scene
from exporter.listen import bound_sockets
from exporter.service import Options, load_config, serve

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

_QUIET: Final = 15.0  # seconds in which every target is polled
_LATEST: Final = 2.0  # seconds that a scrape may take
_GROWTH: Final = 1.1  # of memory, and 8 MiB
_IN_PASSING: Final = 8  # descriptors, threads or tasks of a poll that is just under way
_READERS: Final = ("/metrics", "/metrics", "/", "/config", "/api/v1/targets")
_RUDE: Final = (
    b"",
    b"GET /",
    b"GET / HTTP/1.1\r\nx: ",
    b"\0\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n" * 9,
)


class Figures(NamedTuple):
    """What the program uses."""

    mebibytes: float
    descriptors: int
    threads: int
    tasks: int


@dataclass
class Program:
    """The exporter in a process of its own, and what was asked of it."""

    process: Process
    port: int
    took: list[float] = field(default_factory=list)
    reloads: int = 0

    async def ask(self, path: str, method: str = "GET") -> str:
        """A page."""
        before = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"{method} {path} HTTP/1.1\r\nconnection: close\r\n\r\n".encode())
        reply = await reader.read()
        writer.close()
        self.took.append(time.monotonic() - before)
        return reply.decode()

    async def told(self) -> int:
        """The next number that the program prints."""
        assert self.process.stdout  # noqa: S101  it has a pipe
        return int(await self.process.stdout.readline())

    async def figures(self) -> Figures:
        """What it uses now."""
        self.process.send_signal(signal.SIGUSR1)
        folder = Path(f"/proc/{self.process.pid}")
        status = dict(re.findall(r"(\w+):\s+(\d+)", (folder / "status").read_text()))
        descriptors = len(list((folder / "fd").iterdir()))
        memory = int(status["VmRSS"]) / 1024
        return Figures(memory, descriptors, int(status["Threads"]), await self.told())


@dataclass
class Soak:
    """The program among those that wear it out."""

    program: Program
    scene: Scene
    path: Path
    random: random.Random

    async def wear_out(self, seconds: float) -> None:
        """Everything at once, and then nothing but good vendors until all is quiet."""
        self.scene.is_bad = True
        async with asyncio.TaskGroup() as group:
            until = time.monotonic() + seconds
            for _ in range(4):
                group.create_task(self._read(until))
            for _ in range(20):
                group.create_task(self._be_rude(until))
            group.create_task(self._reload(until))
        self.scene.is_bad = False
        await self._configure(self.scene.config())
        await asyncio.sleep(_QUIET)

    async def _read(self, until: float) -> None:
        while time.monotonic() < until:
            await self.program.ask(self.random.choice(_READERS))
            await asyncio.sleep(0.05)

    async def _be_rude(self, until: float) -> None:
        while time.monotonic() < until:
            _, writer = await asyncio.open_connection("127.0.0.1", self.program.port)
            writer.write(self.random.choice(_RUDE))
            await asyncio.sleep(self.random.random() * 2)
            writer.transport.abort()

    async def _reload(self, until: float) -> None:
        while time.monotonic() < until:
            whole, part = self.scene.config(), self.scene.config(whole=False)
            await self._configure(self.random.choice([whole, whole, part, "targets: [", ""]))
            await asyncio.sleep(2)

    async def _configure(self, text: str) -> None:
        self.path.write_text(text)
        await self.program.ask("/-/reload", "POST")
        self.program.reloads += 1


def problems(first: Figures, last: Figures, page: str, program: Program, count: int) -> list[str]:
    """What is not as it should be at the end."""
    up = re.findall(r"^docusage_target_up{.*} 1$", page, re.MULTILINE)
    failures = r'^docusage_poll_failures_total{target="t\d*[02468]".* [1-9]'
    found = {
        "memory has grown": last.mebibytes > first.mebibytes * _GROWTH + 8,
        "descriptors are not given back": last.descriptors > first.descriptors + _IN_PASSING,
        "threads are left": last.threads > first.threads + _IN_PASSING,
        "tasks are left": last.tasks > first.tasks + _IN_PASSING,
        f"only {len(up)} of {count} targets are up": len(up) < count,
        "targets without a fault failed": bool(re.search(failures, page, re.MULTILINE)),
        f"it ended with status {program.process.returncode}": program.process.returncode != 0,
        f"a page took {max(program.took):.1f} seconds": max(program.took) > _LATEST,
    }
    return [words for words, is_so in found.items() if is_so]


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Program]:
    """The program with this configuration; its log is beside it."""
    with path.with_name("log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.soak",
            path,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    program = Program(process, 0)
    try:
        program.port = await program.told()
        yield program
    finally:
        process.terminate()
        await process.wait()


async def soak(seconds: float, count: int) -> list[str]:
    """The problems that it brings to light; prints the figures."""
    scene = Scene(count)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        async with scene.vendors.serve() as url, peer(scene.script) as wire:
            scene.urls = url, wire.url
            path.write_text(scene.config())
            async with running(path) as program:
                here = Soak(program, scene, path, random.Random(1))  # noqa: S311  repeatable
                await here.wear_out(seconds / 5)
                first = await program.figures()
                await here.wear_out(seconds * 4 / 5)
                last, page = await program.figures(), await program.ask("/metrics")
            polls = sum(scene.vendors.calls.values()) + len(wire.requests)
    print(f"{'':12} {'MiB':>8} {'descriptors':>12} {'threads':>8} {'tasks':>6}")
    for name, figures in (("warmed up", first), ("at the end", last)):
        print("{:12} {:8.1f} {:12} {:8} {:6}".format(name, *figures))
    print(f"{polls} calls to vendors, {len(program.took)} pages, {program.reloads} reloads")
    print(f"slowest page: {max(program.took):.2f} s")
    return problems(first, last, page, program, count)


async def serve_counting(path: Path) -> None:
    """Serve; print the port, and at each SIGUSR1 the number of tasks."""
    (bound,) = bound_sockets(["127.0.0.1:0"])
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: print(len(asyncio.all_tasks(loop)), flush=True))
    port = bound.getsockname()[1]
    options = Options(path, {}, [bound])
    await serve(options, load_config(path, {}), lambda: print(port, flush=True))


def main(arguments: list[str]) -> int:
    """The soak; or, for itself, with a configuration's path, the program that it wears out."""
    if arguments:
        asyncio.run(serve_counting(Path(arguments[0])))
        return 0
    seconds, count = (os.environ.get(f"SOAK_{each}") for each in ("SECONDS", "TARGETS"))
    found = asyncio.run(soak(float(seconds or 120), int(count or 300)))
    print("\n".join(found) or "as at the beginning")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
