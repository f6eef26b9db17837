"""Name resolution: a resolver that hangs delays no other call, and no exit."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from raw_http_server import peer, well_behaved
from vendor_calls import LONG_TIMEOUT, TIMEOUT, credits_today, failure, polled, run, source

from exporter.client.resolver import DaemonThreadExecutor
from exporter.model import FailureReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.polling.poll import PollTarget


class Resolver:
    """Knows this machine under any name that begins with `good`; hangs on `dead` ones."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.revived = threading.Event()

    def __call__(self, name: str | bytes, port: int, *more: Any) -> Any:  # noqa: ANN401  getaddrinfo's own
        host = name if isinstance(name, str) else name.decode()
        self.calls.append(host)
        if host.startswith("dead"):
            self.revived.wait()
        if host.startswith("invalid"):
            return socket.getaddrinfo("a..b", port, *more)
        if not host.startswith("good"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return socket.getaddrinfo("127.0.0.1", port, *more)


def executor_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "executor"]


def end(resolver: Resolver) -> None:
    """Let the hanging threads end."""
    resolver.revived.set()
    for thread in executor_threads():
        thread.join(5)


def at(host: str, port: int, timeout: float = TIMEOUT) -> PollTarget:
    return source(f"http://{host}.example:{port}", poll={"timeout": f"{timeout}s"})


def test_names_are_resolved_by_the_executors_function() -> None:
    async def main() -> None:
        resolver = Resolver()
        asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor(resolver))
        async with peer(well_behaved) as there:
            assert credits_today(await polled(at("good", there.port, LONG_TIMEOUT))) == 9
        assert set(resolver.calls) == {"good.example"}

    run(main())


def test_every_address_of_a_name_is_tried() -> None:
    def two(_: str, port: int, *more: Any) -> list[Any]:  # noqa: ANN401  getaddrinfo's own
        places = ("127.0.0.3", "127.0.0.1")  # at the first nobody listens
        return [address for place in places for address in socket.getaddrinfo(place, port, *more)]

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor(two))
        async with peer(well_behaved) as there:
            assert credits_today(await polled(at("good", there.port, LONG_TIMEOUT))) == 9
        assert (
            failure(await polled(at("good", there.port, LONG_TIMEOUT))).reason
            == FailureReason.CONNECT
        )

    run(main())


@pytest.mark.parametrize("host", ["unknown", "invalid"])
def test_a_name_that_cannot_be_resolved_is_a_dns_failure(host: str) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor(Resolver()))
        attempt = await polled(at(host, 9))
        assert attempt.result == (
            FailureReason.DNS,
            "the vendor's host name cannot be resolved",
            None,
        )

    run(main())


def test_a_dead_resolver_delays_no_healthy_target_and_no_exit() -> None:
    resolver = Resolver()

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor(resolver))
        async with peer(well_behaved) as there, asyncio.TaskGroup() as group:
            dead = [at(f"dead{number}", there.port) for number in range(100)]
            tasks = [group.create_task(polled(each)) for each in dead]
            await asyncio.sleep(0)
            with_retry = at("good", there.port, LONG_TIMEOUT)
            assert credits_today(await polled(with_retry)) == 9
        assert {failure(task.result()).reason for task in tasks} == {FailureReason.TIMEOUT}

    started = time.monotonic()
    run(main())
    assert time.monotonic() - started < 5
    end(resolver)


def test_a_hanging_name_has_one_thread_however_often_it_is_requested() -> None:
    resolver = Resolver()

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor(resolver))
        polls = [polled(at("dead", 9)) for _ in range(20)]
        assert {failure(attempt).reason for attempt in await asyncio.gather(*polls)} == {
            FailureReason.TIMEOUT
        }
        assert len(executor_threads()) == 1
        assert resolver.calls == ["dead.example"]

    run(main())
    end(resolver)


def test_concurrent_requests_for_a_name_share_one_resolution() -> None:
    resolver = Resolver()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(DaemonThreadExecutor(resolver))
        waiting = [asyncio.ensure_future(loop.getaddrinfo("good", 80)) for _ in range(3)]
        answers = await asyncio.gather(*waiting)
        assert {address[4] for answer in answers for address in answer} == {("127.0.0.1", 80)}
        assert len(resolver.calls) <= 3
        calls = len(resolver.calls)
        await loop.getaddrinfo("good", 80)
        assert len(resolver.calls) == calls + 1

    run(main())


def raised(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(("call", "argument", "result"), [(int, "12", 12), (str.upper, "a", "A")])
def test_any_other_call_runs_each_time(
    call: Callable[[str], object], argument: str, result: object
) -> None:
    with DaemonThreadExecutor() as executor:
        futures = [executor.submit(call, argument) for _ in range(2)]
        assert [future.result(5) for future in futures] == [result, result]
        assert futures[0] is not futures[1]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3)])
def test_an_exception_reaches_the_caller(error: BaseException) -> None:
    with DaemonThreadExecutor() as executor, pytest.raises(type(error)):
        executor.submit(raised, error).result(5)


@pytest.mark.e2e
def test_a_program_exits_while_a_name_resolution_hangs() -> None:
    program = """
import asyncio, threading
from exporter.client.resolver import DaemonThreadExecutor

async def main():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonThreadExecutor(lambda *_: threading.Event().wait()))
    try:
        async with asyncio.timeout(0.05):
            await loop.getaddrinfo("dead.example", 443)
    except TimeoutError:
        print("timed out")

asyncio.run(main())
"""

    async def main() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(5):
            output, _ = await process.communicate()
        assert process.returncode == 0
        return output

    assert run(main()) == b"timed out\n"
