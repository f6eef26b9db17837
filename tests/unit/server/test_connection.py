"""One connection over a real socket: whatever a client does, it gets a response or an end."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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

PLAIN_AND_TLS = pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "tls"])
LONG = bytes(range(256)) * 80_000
GET_LONG = GET.replace(b"/", b"/long", 1)


async def echo_or_long(request: Request) -> Response:
    return Response(200, "text/plain", LONG) if request.path == "/long" else await echo(request)


@PLAIN_AND_TLS
def test_requests_are_answered_one_after_the_other_in_order(*, is_encrypted: bool) -> None:
    async def main() -> None:
        async with running_server(tls=server_tls() if is_encrypted else None) as running:
            raw = b"".join(GET.replace(b"/", b"/%d" % number, 1) for number in range(5000))
            client_tls = client_context() if is_encrypted else None
            response = await running.send(raw + LAST_GET, client_tls)
        bodies = [line for line in response.split(b"\r\n") if line.startswith(b"GET /")]
        assert len(bodies) == 5001
        assert response.count(b"HTTP/1.1 200 OK") == 5001
        assert (
            response.index(b"GET /41\n")
            < response.index(b"GET /42\n")
            < response.index(b"GET /4999\n")
        )

    asyncio.run(main())


def test_little_is_read_while_a_request_is_answered() -> None:
    async def main() -> None:
        handler = HeldHandler()
        async with running_server(handler) as running, running.client() as client:
            client.write(GET * 1_000_000)
            await handler.called()
            await run_loop()
            assert client.transport.get_write_buffer_size() > 10_000_000
            assert len(handler.requests) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n\r\n", b"GET /" + b"y" * 65_536, b"CONNECT x:1 HTTP/1.1\r\n\r\n"]
)
def test_an_invalid_request_is_answered_with_400_and_the_connection_ends(raw: bytes) -> None:
    async def main() -> None:
        async with running_server(HeldHandler()) as running:
            response = await running.send(raw)
            assert status_code(response) == 400
            assert b"\r\nconnection: close\r\n" in response

    asyncio.run(main())


@pytest.mark.parametrize("rest", [b"\0", GET, b"x" * 100_000], ids=["invalid", "valid", "long"])
def test_what_follows_the_last_request_is_ignored(rest: bytes) -> None:
    async def main() -> None:
        async with running_server() as running, running.client() as client:
            client.write(LAST_GET + rest)
            assert (await client.read_until(b"GET /\n")).startswith(b"HTTP/1.1 200 OK\r\n")
            assert await client.read_all() == b""

    asyncio.run(main())


def test_a_client_that_waits_for_100_continue_gets_it() -> None:
    async def main() -> None:
        async with running_server() as running, running.client() as client:
            expects = b"close\r\nexpect: 100-continue\r\ncontent-length: 2"
            client.write(LAST_GET.replace(b"close", expects))
            assert await client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.write(b"ab")
            assert (await client.read_all()).startswith(b"HTTP/1.1 200 OK\r\n")

    asyncio.run(main())


def test_a_response_to_head_has_no_body() -> None:
    async def main() -> None:
        async with running_server() as running:
            response = await running.send(LAST_GET.replace(b"GET", b"HEAD"))
            assert b"\r\ncontent-length: 7\r\n" in response
            assert response.endswith(b"\r\n\r\n")

    asyncio.run(main())


def test_a_client_that_offers_another_protocol_goes_on_in_this_one() -> None:
    async def main() -> None:
        offer = GET.replace(b"x\r\n", b"x\r\nconnection: upgrade\r\nupgrade: h2c\r\n")
        async with running_server() as running, running.client() as client:
            client.write(offer)
            await client.read_until(b"GET /\n")
            client.write(LAST_GET)
            assert (await client.read_all()).endswith(b"GET /\n")

    asyncio.run(main())


def test_the_body_of_an_offer_of_another_protocol_is_not_taken_for_requests() -> None:
    async def main() -> None:
        offer = b"POST / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        async with running_server() as running:
            response = await running.send(offer + b"content-length: %d\r\n\r\n" % len(GET) + GET)
            assert response.count(b"HTTP/1.1 ") == 1
            assert response.endswith(b"\r\n\r\nPOST /\n")

    asyncio.run(main())


def test_a_client_that_ends_its_own_half_still_gets_its_responses() -> None:
    async def main() -> None:
        handler = HeldHandler()
        async with running_server(handler) as running, running.client() as client:
            client.write(GET * 2)
            client.transport.write_eof()
            await handler.called()
            handler.release.set()
            assert (await client.read_all()).count(b"\r\n\r\nGET /\n") == 2
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("raw", "answers", "timeout"),
    [
        (b"", 0, 10),
        (b"GET / HT", 0, 10),
        (b"GET / HTTP/1.1\r\nx: ", 0, 10),
        (b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nab", 0, 10),
        (GET, 1, 120),
        (GET + b"\r\n", 1, 120),
        (GET + b"GET /", 1, 10),
    ],
    ids=["nothing", "request line", "headers", "body", "idle", "empty line", "second request"],
)
def test_a_connection_ends_when_its_time_is_up(raw: bytes, answers: int, timeout: float) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with running_server(clock=clock) as running, running.client() as client:
            connection = await running.connection()
            client.write(raw)
            if answers:
                await client.read_until(b" /\n")
            # Whatever is sent is processed before this response to a later client.
            await running.send()
            clock.now += timeout
            running.server.abort_overdue()
            await run_loop()
            assert list(running.server.connections) == [connection]
            clock.now += 0.1
            running.server.abort_overdue()
            assert await client.read_all() == b""
            assert not running.server.connections

    asyncio.run(main())


def test_a_request_that_arrives_slowly_ends_the_connection_however_often_something_comes() -> None:
    async def main() -> None:
        clock = FakeClock()
        async with running_server(clock=clock) as running, running.client() as client:
            connection = await running.connection()
            client.write(GET)
            await client.read_until(b" /\n")
            clock.now += 100
            for byte in b"GET / HTTP":
                client.write(bytes([byte]))
                await running.send()
                clock.now += 1
            assert not connection.is_overdue()
            clock.now += 0.1
            assert connection.is_overdue()

    asyncio.run(main())


@PLAIN_AND_TLS
def test_a_long_response_arrives_whole_and_so_does_what_is_requested_next(
    *, is_encrypted: bool
) -> None:
    async def main() -> None:
        async with running_server(echo_or_long, server_tls() if is_encrypted else None) as running:
            client_tls = client_context() if is_encrypted else None
            response = await running.send(GET_LONG * 2 + LAST_GET, client_tls)
        head, _, rest = response.partition(b"\r\n\r\n")
        assert f"content-length: {len(LONG)}".encode() in head
        assert rest.startswith(LONG + b"HTTP/1.1 200 OK\r\n")
        assert rest.count(LONG) == 2
        assert rest.endswith(b"\r\n\r\nGET /\n")

    asyncio.run(main())


@PLAIN_AND_TLS
def test_a_client_that_does_not_read_costs_little_memory_and_not_for_long(
    *, is_encrypted: bool
) -> None:
    async def main() -> None:
        clock = FakeClock()
        client_tls = client_context() if is_encrypted else None
        server_side = server_tls() if is_encrypted else None
        async with (
            running_server(echo_or_long, server_side, clock=clock) as running,
            running.client(client_tls) as client,
        ):
            tracemalloc.start()
            client.write(GET_LONG)
            await client.read_until(b"\r\n\r\n")
            client.transport.pause_reading()
            await run_loop()
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 1_000_000  # most of it is the client's
            clock.now += 30
            running.server.abort_overdue()
            await run_loop()
            assert running.server.connections
            clock.now += 0.1
            running.server.abort_overdue()
            await wait_until(lambda: not running.server.connections)
            client.transport.resume_reading()
            assert len(await client.read_all()) < len(LONG)

    asyncio.run(main())


def test_a_client_that_leaves_during_a_response_leaves_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with running_server(echo_or_long) as running:
            async with running.client() as client:
                client.write(GET_LONG)
                await client.read_until(b"\r\n\r\n")
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())
    assert not caplog.records  # asyncio warns of writes to a closed connection


def test_a_response_whose_client_has_left_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        handler = HeldHandler()
        async with running_server(handler) as running, running.client() as client:
            client.write(GET)
            await handler.called()
            client.reset()
            await client.read_all()
            handler.release.set()
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())
    assert not caplog.records


def test_an_invalid_request_during_a_response_is_answered_after_it() -> None:
    async def main() -> None:
        async with running_server(echo_or_long) as running:
            response = await running.send(GET_LONG + b"\0")
        assert LONG + b"HTTP/1.1 400 Bad Request\r\n" in response

    asyncio.run(main())


def test_a_handler_that_takes_too_long_is_cancelled() -> None:
    async def main() -> None:
        clock, handler = FakeClock(), HeldHandler()
        async with running_server(handler, clock=clock) as running, running.client() as client:
            client.write(GET)
            await handler.called()
            clock.now += 30.1
            running.server.abort_overdue()
            assert await client.read_all() == b""
            assert handler.is_cancelled

    asyncio.run(main())


async def fails(request: Request) -> Response:
    raise ValueError(request.path)


def test_a_defect_of_a_handler_is_answered_with_500_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with running_server(fails) as running:
            response = await running.send(GET.replace(b"GET", b"HEAD") + LAST_GET)
        assert response.count(b"HTTP/1.1 500 Internal Server Error\r\n") == 2
        assert response.count(b"\r\n\r\nInternal server error; the log says more.\n") == 1

    asyncio.run(main())
    assert [record.message for record in caplog.records] == ["request not answered"] * 2
    assert all(record.exc_info and record.exc_info[0] is ValueError for record in caplog.records)


async def no_response(_: Request) -> Response:
    return None  # type: ignore[return-value]  # the defect


def test_a_defect_while_a_response_is_sent_ends_the_connection_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with running_server(no_response) as running:
            assert await running.send() == b""
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())
    assert [record.message for record in caplog.records] == ["connection failed"]


def test_a_defect_while_a_request_is_read_ends_the_connection_and_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TypeError

    monkeypatch.setattr("exporter.server.parser.RequestParser.next_request", fail)

    async def main() -> None:
        async with running_server() as running:
            assert await running.send() == b""
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())
    assert [record.message for record in caplog.records] == ["connection failed"]


METHODS = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "M-SEARCH"]
) | st.text("ABCZ-", min_size=1, max_size=9)
TARGETS = st.binary(max_size=40).map(lambda raw: b"/" + raw) | st.sampled_from(
    [b"*", b"/%ff%00", b"/%", b"//", b"/..", b"/?%gg", b"http://x/y", b"/-/reload", b"/metrics#x"]
)
NAMES = st.sampled_from(
    b"Accept Accept-Encoding Authorization Host Expect Upgrade Connection Content-Length"
    b" Transfer-Encoding Content-Type".split()
) | st.binary(max_size=9)
VALUES = st.sampled_from(
    [b"100-continue", b"websocket", b"upgrade", b"h2c", b"chunked", b"0", b"9", b"Basic x"]
) | st.binary(max_size=30)
REQUESTS = st.builds(
    lambda method, target, headers, end: (
        method.encode()
        + b" "
        + target
        + b" HTTP/1.1\r\n"
        + b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        + end
    ),
    METHODS,
    TARGETS,
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.sampled_from([b"\r\n", b"\r\n\r\n", b""]),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(REQUESTS, max_size=3).map(b"".join) | st.binary(), min_size=5, max_size=5))
def test_no_bytes_cause_a_500_or_harm_the_next_client(streams: list[bytes]) -> None:
    async def main() -> None:
        async with running_server() as running:
            for stream in streams:
                async with running.client() as client:
                    client.write(stream)
                    client.transport.write_eof()
                    response = await client.read_all()
                assert status_code(response) < 500
            assert status_code(await running.send()) == 200
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())
