"""Connections over real sockets: whatever a client does, it gets an answer or an end."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scraping import GET, HERE, LAST, Served, encrypted, hello, served, settled, status_of
from self_signed import client_context

from exporter.config.errors import ConfigError
from exporter.web.response import Request, Response, said
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable


def age(here: Served, seconds: float) -> None:
    """As if all connections had begun that much earlier."""
    for held in here.server.held:
        held.since -= seconds


def test_requests_on_one_connection_are_answered_in_turn() -> None:
    async def main() -> None:
        async with served() as here:
            reply = await here.ask(GET.replace(b"/ ", b"/one ") + LAST.replace(b"/ ", b"/two "))
        assert reply.count(b"HTTP/1.1 200 OK") == 2
        assert reply.index(b"GET /one") < reply.index(b"GET /two")

    asyncio.run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http://x HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n\xff: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(raw: bytes) -> None:
    async def main() -> None:
        async with served() as here:
            assert status_of(await here.ask(raw)) == 400

    asyncio.run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nexpect: 100-continue\r\n\r\n",
        b"\r\n\r\n" + LAST,
        LAST.replace(b"/", b"/?a=%zz#x", 1),
        LAST.replace(b"/", b"http://there/", 1),
        LAST.replace(b"close", b"close\r\nexpect: 100-continue"),
        LAST.replace(b"close", b"close\r\nx: \xff\x80"),
        LAST.replace(b"close", b"close, upgrade\r\nupgrade: h2c"),
        LAST + b"\0 is no request",
    ],
)
def test_what_is_odd_but_a_request_is_answered(raw: bytes) -> None:
    async def main() -> None:
        async with served() as here:
            assert (await here.ask(raw)).endswith(b"\r\n\r\nGET /\n")

    asyncio.run(main())


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    async def main() -> None:
        async with served() as here, here.connected() as client:
            client.write(
                LAST.replace(b"close", b"close\r\nexpect: 100-Continue\r\ncontent-length: 2")
            )
            assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.write(b"ab")
            assert (await client.rest()).startswith(b"HTTP/1.1 200 OK\r\n")

    asyncio.run(main())


def test_a_client_of_http_1_0_that_waits_for_leave_gets_the_answer_alone() -> None:
    async def main() -> None:
        raw = b"POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\nx"
        async with served() as here:
            assert status_of(await here.ask(raw)) == 200

    asyncio.run(main())


def test_a_client_that_asks_nothing_more_still_gets_what_it_has_asked_for() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def waits(request: Request) -> Response:
            await go.wait()
            return await hello(request)

        async with served(waits) as here, here.connected() as client:
            client.write(GET * 2)
            client.transport.write_eof()
            await settled(lambda: any(held._has_read_all for held in here.server.held))  # noqa: SLF001  an end that is not to be seen otherwise
            go.set()
            assert (await client.rest()).count(b"\r\n\r\nGET /\n") == 2
            await settled(lambda: not here.server.held)

    asyncio.run(main())


def test_what_stands_behind_the_body_is_no_header() -> None:
    async def main() -> None:
        async with served(names_of_headers) as here:
            start = LAST.replace(b"GET", b"POST").replace(
                b"close", b"close\r\ntransfer-encoding: chunked"
            )
            reply = await here.ask(start + b"1\r\na\r\n0\r\nauthorization: x\r\n\r\n")
            assert reply.endswith(b"\r\n\r\nhost connection transfer-encoding\n")

    asyncio.run(main())


async def names_of_headers(request: Request) -> Response:
    return said(200, b" ".join(name for name, _ in request.headers).decode())


def test_a_client_that_offers_another_protocol_goes_on_in_this_one() -> None:
    async def main() -> None:
        offer = GET.replace(b"x\r\n", b"x\r\nconnection: upgrade\r\nupgrade: h2c\r\n")
        async with served() as here, here.connected() as client:
            client.write(offer)
            await client.until(b"GET /\n")
            client.write(LAST)
            assert (await client.rest()).endswith(b"GET /\n")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"content-length: %d" % len(GET), GET),
        (b"content-length: 3", b"abc" + GET),
        (b"transfer-encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(GET), GET)),
    ],
)
def test_the_body_of_who_offers_another_protocol_is_never_taken_for_requests(
    framing: bytes, body: bytes
) -> None:
    async def main() -> None:
        offer = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        async with served() as here:
            reply = await here.ask(offer + framing + b"\r\n\r\n" + body)
            assert reply.count(b"HTTP/1.1 ") == 1
            assert reply.endswith(b"\r\n\r\nPOST /\n")

    asyncio.run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 65_536,
        b"GET /" + b"y" * 65_536,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 11_000,
        b"POST / HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n" + b"y" * 65_536,
    ],
    ids=["header", "path", "headers", "body"],
)
def test_a_request_without_an_end_is_refused(raw: bytes) -> None:
    async def main() -> None:
        async with served(hangs) as here:
            assert status_of(await here.ask(raw)) == 400

    asyncio.run(main())


async def hangs(_: Request) -> Response:
    never: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    return await never


def test_a_flood_of_pipelined_requests_ends_the_connection() -> None:
    async def main() -> None:
        async with served(hangs) as here:
            assert status_of(await here.ask(GET * 10_000)) == 400
            assert not here.server.answering

    asyncio.run(main())


def test_a_few_pipelined_requests_are_answered() -> None:
    async def main() -> None:
        async with served() as here:
            assert (await here.ask(GET * 7 + LAST)).count(b"200 OK") == 8

    asyncio.run(main())


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


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(REQUESTS, max_size=3).map(b"".join) | st.binary(), min_size=5, max_size=5))
def test_no_bytes_make_a_500_or_harm_the_next_client(streams: list[bytes]) -> None:
    async def main() -> None:
        async with served() as here:
            for stream in streams:
                async with here.connected() as client:
                    client.write(stream)
                    client.transport.write_eof()
                    reply = await client.rest()
                assert not reply or status_of(reply) < 500
            assert status_of(await here.ask()) == 200
            await settled(lambda: not here.server.held)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("raw", "answers", "patience"),
    [
        (b"", 0, 10),
        (b"GET / HT", 0, 10),
        (b"GET / HTTP/1.1\r\nx: ", 0, 10),
        (b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nab", 0, 10),
        (GET, 1, 120),
        (GET + b"GET /", 1, 10),
    ],
    ids=["nothing", "request line", "headers", "body", "idle", "second request"],
)
def test_a_client_is_cut_off_when_its_time_is_up(raw: bytes, answers: int, patience: float) -> None:
    async def main() -> None:
        async with served() as here, here.connected() as client:
            client.write(raw)
            if answers:
                await client.until(b" /\n")
            await settled(lambda: len(here.server.held) == 1)
            await asyncio.sleep(0.02)
            age(here, patience - 0.5)
            here.server.end_overdue()
            assert here.server.held
            age(here, 0.6)
            here.server.end_overdue()
            assert not here.server.held
            assert await client.rest() == b""

    asyncio.run(main())


def test_what_comes_after_the_end_is_not_read() -> None:
    async def main() -> None:
        async with served() as here, here.connected() as client:
            held = await here.held()
            held.transport.close()
            held.data_received(GET)
            assert await client.rest() == b""
            assert not here.server.answering

    asyncio.run(main())


async def long_page(_: Request) -> Response:
    return Response(200, "text/plain", b"x" * 20_000_000)


def test_a_client_that_does_not_read_holds_little_memory_and_not_for_long() -> None:
    async def main() -> None:
        async with served(long_page) as here, here.connected() as client:
            client.write(GET)
            await client.until(b"x")
            client.transport.pause_reading()
            (held,) = here.server.held
            await asyncio.sleep(0.02)
            assert held.transport.get_write_buffer_size() < 200_000
            age(here, 29.5)
            here.server.end_overdue()
            assert here.server.held
            age(here, 0.6)
            here.server.end_overdue()
            assert not here.server.held
            client.transport.resume_reading()
            assert len(await client.rest()) < 19_000_000

    asyncio.run(main())


def test_a_long_page_arrives_whole() -> None:
    async def main() -> None:
        async with served(long_page) as here:
            assert (await here.ask()).count(b"x") > 20_000_000

    asyncio.run(main())


@pytest.mark.parametrize("web", [WebConfig, encrypted], ids=["plain", "tls"])
def test_the_oldest_connection_makes_room_for_the_newest(web: Callable[[], WebConfig]) -> None:
    async def main() -> None:
        async with served(web=web, most=2) as here, AsyncExitStack() as opened:
            silent = [await opened.enter_async_context(here.connected()) for _ in range(5)]
            await settled(lambda: len(here.server.held) == 2)
            for client in silent[:3]:
                assert await client.rest() == b""
            tls = client_context() if web is encrypted else None
            assert status_of(await here.ask(tls=tls)) == 200
            assert await silent[3].rest() == b""

    asyncio.run(main())


def test_an_honest_client_is_served_while_hundreds_are_silent() -> None:
    async def main() -> None:
        async with served(most=100) as here, AsyncExitStack() as opened:
            for _ in range(300):
                await opened.enter_async_context(here.connected())
            async with asyncio.timeout(2):
                assert status_of(await here.ask()) == 200
            assert len(here.server.held) <= 100

    asyncio.run(main())


def test_encrypted_connections_are_fewer_since_they_take_memory() -> None:
    async def main() -> None:
        async with served(web=encrypted, most=1000) as here, AsyncExitStack() as opened:
            for _ in range(402):
                await opened.enter_async_context(here.connected())
            assert status_of(await here.ask(tls=client_context())) == 200
            assert len(here.server.held) <= 400

    asyncio.run(main())


def test_a_page_is_served_over_tls() -> None:
    async def main() -> None:
        async with served(web=encrypted) as here, here.connected(client_context()) as client:
            client.write(LAST)
            tls = client.transport.get_extra_info("ssl_object")
            shown = ssl.PEM_cert_to_DER_cert(HERE.cert)
            assert (tls.version(), tls.getpeercert(binary_form=True)) == ("TLSv1.3", shown)
            assert (await client.rest()).endswith(b"GET /\n")

    asyncio.run(main())


def test_a_handshake_that_is_not_finished_is_cut_off() -> None:
    async def main() -> None:
        async with served(web=encrypted) as here, here.connected() as client:
            client.write(b"\x16\x03\x01")
            await settled(lambda: bool(here.server.held))
            age(here, 10.1)
            here.server.end_overdue()
            assert not here.server.held
            assert await client.rest() == b""

    asyncio.run(main())


def test_a_client_that_does_not_speak_tls_gets_no_page() -> None:
    async def main() -> None:
        async with served(web=encrypted) as here:
            assert b"HTTP" not in await here.ask()
            await settled(lambda: not here.server.held)

    asyncio.run(main())


def test_nobody_is_let_in_while_the_web_configuration_is_broken() -> None:
    def broken() -> WebConfig:
        raise ConfigError("web.yaml", [])

    async def main() -> None:
        async with served(web=broken) as here:
            assert await here.ask() == b""
            assert not here.server.held

    asyncio.run(main())


def test_a_connection_that_is_cut_off_before_it_began_leaves_nothing() -> None:
    async def main() -> None:
        async with served(web=encrypted, most=1) as here:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                here.server.open(theirs)
                (held,) = here.server.held
                held.drop()
                await settled(lambda: not here.server.held)
                assert theirs.fileno() == -1

    asyncio.run(main())


class Short(socket.socket):
    """A listening socket in a process whose descriptors are used up for a while."""

    failures = 2

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_when_descriptors_run_out_the_oldest_connection_gives_one_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with served() as here, here.connected() as client:
            await settled(lambda: bool(here.server.held))
            with Short() as bound:
                bound.bind(("127.0.0.1", 0))
                bound.listen()
                here.server.start([bound])
                there = here._replace(port=bound.getsockname()[1])
                assert await client.rest() == b""
                assert status_of(await there.ask()) == 200
                await there.server.shut_down()

    asyncio.run(main())
    (record,) = caplog.records
    assert (record.message, vars(record)["detail"]) == (
        "connection not accepted",
        "Too many open files",
    )


def test_what_is_being_answered_is_answered_before_the_end() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def slow(request: Request) -> Response:
            await release.wait()
            return await hello(request)

        async with served(slow) as here, here.connected() as client, here.connected() as idle:
            client.write(GET)
            await settled(lambda: len(here.server.answering) == 1)
            ending = asyncio.create_task(here.server.shut_down())
            assert await idle.rest() == b""
            release.set()
            assert (await client.rest()).endswith(b"GET /\n")
            await ending

    asyncio.run(main())


def test_the_end_comes_though_clients_hold_on() -> None:
    async def main() -> None:
        async with served(hangs) as here, here.connected() as client:
            client.write(GET)
            await settled(lambda: len(here.server.answering) == 1)
            await here.server.shut_down(grace=0.01)
            assert await client.rest() == b""
            await settled(lambda: not here.server.answering)

    asyncio.run(main())
