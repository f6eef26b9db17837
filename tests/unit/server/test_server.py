"""The server: which connections it accepts, which it ends, and how it stops."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import ssl
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from raw_http_client import (
    GET,
    LAST_GET,
    FakeClock,
    HeldHandler,
    echo,
    run_loop,
    running_server,
    server_tls,
    status_code,
    wait_until,
)
from self_signed import client_context

from exporter.server.messages import Request, Response
from exporter.server.parser import RequestParser
from exporter.server.protocol import Connection
from exporter.server.server import Server
from exporter.server.tls import ConnectionRejectedError, TlsSession

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN_AND_TLS = pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "tls"])


@PLAIN_AND_TLS
def test_the_oldest_connection_makes_room_for_the_newest(*, is_encrypted: bool) -> None:
    async def main() -> None:
        clock = FakeClock()
        tls = server_tls() if is_encrypted else None
        async with (
            running_server(tls=tls, max_connections=2, clock=clock) as running,
            AsyncExitStack() as stack,
        ):
            silent = []
            for _ in range(5):
                silent.append(await stack.enter_async_context(running.client()))
                await run_loop()
                clock.now += 1
            for client in silent[:3]:
                assert await client.read_all() == b""
            client_tls = client_context() if is_encrypted else None
            assert status_code(await running.send(tls=client_tls)) == 200
            assert await silent[3].read_all() == b""

    asyncio.run(main())


def test_a_client_is_served_while_hundreds_are_silent() -> None:
    async def main() -> None:
        async with running_server(max_connections=100) as running, AsyncExitStack() as stack:
            for _ in range(300):
                await stack.enter_async_context(running.client())
            async with asyncio.timeout(2):
                assert status_code(await running.send()) == 200
            assert len(running.server.connections) <= 100

    asyncio.run(main())


def test_no_client_is_served_while_connections_are_rejected() -> None:
    def reject() -> None:
        raise ConnectionRejectedError

    async def main() -> None:
        async with running_server(tls=reject) as running:
            assert await running.send() == b""
            assert not running.server.connections

    asyncio.run(main())


def test_a_defect_of_the_tls_settings_ends_one_connection_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    defects = [TypeError()]

    def tls() -> None:
        if defects:
            raise defects.pop()

    async def main() -> None:
        async with running_server(tls=tls) as running:
            assert await running.send() == b""
            assert status_code(await running.send()) == 200

    asyncio.run(main())
    assert [record.message for record in caplog.records] == ["connection not opened"]


class WithoutDescriptors(socket.socket):
    """A listening socket in a process that has no descriptors left for a while."""

    failures = 3

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_without_descriptors_the_oldest_connection_ends_and_a_warning_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with running_server() as running, running.client() as client:
            await running.connection()
            with WithoutDescriptors() as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen()
                running.server.start([listener])
                other = running._replace(port=listener.getsockname()[1])
                assert await client.read_all() == b""
                assert status_code(await other.send()) == 200
                await running.server.shut_down()

    asyncio.run(main())
    logged = {(record.message, vars(record)["detail"]) for record in caplog.records}
    assert logged == {("connection not accepted", "Too many open files")}


def test_what_is_being_answered_is_answered_before_the_server_stops() -> None:
    async def main() -> None:
        handler = HeldHandler()
        async with (
            running_server(handler) as running,
            running.client() as client,
            running.client() as idle,
        ):
            client.write(GET * 2)
            await handler.called()
            stopping = asyncio.create_task(running.server.shut_down())
            assert await idle.read_all() == b""
            handler.release.set()
            response = await client.read_all()
            assert response.count(b"HTTP/1.1 200 OK\r\n") == 1
            assert b"\r\nconnection: close\r\n" in response
            await stopping

    asyncio.run(main())


@PLAIN_AND_TLS
def test_a_long_response_is_sent_to_its_end_before_the_server_stops(*, is_encrypted: bool) -> None:
    async def long(_: Request) -> Response:
        return Response(200, "text/plain", b"x" * 10_000_000)

    async def main() -> None:
        client_tls = client_context() if is_encrypted else None
        async with (
            running_server(long, server_tls() if is_encrypted else None) as running,
            running.client(client_tls) as client,
        ):
            client.write(GET)
            await client.read_until(b"\r\n\r\n")
            stopping = asyncio.create_task(running.server.shut_down())
            assert len(await client.read_all()) == 10_000_000
            await stopping

    asyncio.run(main())


def test_the_server_stops_though_a_handler_never_answers() -> None:
    async def main() -> None:
        handler = HeldHandler()
        async with running_server(handler) as running, running.client() as client:
            client.write(GET)
            await handler.called()
            await running.server.shut_down(grace=0.01)
            assert await client.read_all() == b""
            assert handler.is_cancelled

    asyncio.run(main())


def test_overdue_connections_are_looked_for_while_the_server_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exporter.server.server._REAP_INTERVAL", 0)

    async def main() -> None:
        clock = FakeClock()
        server = Server(echo, clock=clock)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with server.serving([listener]):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                await wait_until(lambda: len(server.connections) == 1)
                clock.now += 10.1
                with suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()

    asyncio.run(main())


def opened_and_closed(port: int, tls: ssl.SSLContext | None) -> None:
    """Clients that make a request, send nothing, send nonsense, or leave in the handshake."""
    for raw in [LAST_GET, GET, b"", b"\0nonsense\r\n\r\n", b"\x16\x03\x01\x00\xff"] * 60:
        with socket.create_connection(("127.0.0.1", port)) as client, suppress(OSError):
            if tls and raw[:1].isalpha():
                with tls.wrap_socket(client) as encrypted:
                    encrypted.sendall(raw)
                    encrypted.recv(1000)
            else:
                client.sendall(raw)


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def objects_of_connections() -> int:
    kinds = (
        *(Connection, RequestParser, TlsSession, ssl.SSLObject),
        *(socket.socket, asyncio.Transport, asyncio.Task, asyncio.Future),
    )
    return sum(isinstance(each, kinds) for each in gc.get_objects())


@PLAIN_AND_TLS
@pytest.mark.usefixtures("no_garbage_collection")
def test_nothing_is_left_of_closed_connections_without_garbage_collection(
    *, is_encrypted: bool
) -> None:
    async def main() -> None:
        tls = server_tls() if is_encrypted else None
        client_tls = client_context() if is_encrypted else None
        async with running_server(tls=tls) as running:
            left = []
            for _ in range(2):  # what the first one loads is not left of a connection
                await asyncio.to_thread(opened_and_closed, running.port, client_tls)
                await wait_until(lambda: not running.server.connections)
                await run_loop()
                left.append(objects_of_connections())
            assert left[0] == left[1]

    asyncio.run(main())
