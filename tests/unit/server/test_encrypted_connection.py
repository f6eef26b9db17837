"""Encrypted connections over real sockets: who may connect, and what is left of them."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

import pytest
from raw_http_client import (
    GET,
    LAST_GET,
    SERVER_CERTIFICATE,
    FakeClock,
    run_loop,
    running_server,
    server_tls,
    status_code,
    wait_until,
)
from self_signed import client_context


class TlsClient:
    """The client's side of TLS by hand, to send parts of it."""

    def __init__(self) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = client_context().wrap_bio(self._incoming, self._outgoing)

    async def open(self, port: int) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)

    async def shake_hands(self) -> None:
        while self._tls.version() is None:
            with suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
            self._writer.write(self._outgoing.read())
            if self._tls.version() is None:
                await self._receive()

    async def _receive(self) -> None:
        self._incoming.write(await self._reader.read(65_536))

    def send_and_close_own_half(self, plaintext: bytes) -> None:
        """In one segment, so that the server sees both at once."""
        self._tls.write(plaintext)
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._writer.write(self._outgoing.read())

    async def read_all(self) -> bytes:
        """The plaintext that is received until the server ends its half."""
        received = b""
        with suppress(ssl.SSLZeroReturnError):
            while True:
                try:
                    received += self._tls.read(65_536)
                except ssl.SSLWantReadError:
                    await self._receive()
        self._writer.close()
        return received


def test_a_page_is_served_over_tls() -> None:
    async def main() -> None:
        async with (
            running_server(tls=server_tls()) as running,
            running.client(client_context()) as client,
        ):
            client.write(LAST_GET)
            tls = client.transport.get_extra_info("ssl_object")
            certificate = ssl.PEM_cert_to_DER_cert(SERVER_CERTIFICATE.cert)
            assert (tls.version(), tls.getpeercert(binary_form=True)) == ("TLSv1.3", certificate)
            assert (await client.read_all()).endswith(b"GET /\n")

    asyncio.run(main())


def test_a_client_that_closes_its_own_half_still_gets_its_response() -> None:
    async def main() -> None:
        async with running_server(tls=server_tls()) as running:
            client = TlsClient()
            await client.open(running.port)
            await client.shake_hands()
            client.send_and_close_own_half(GET * 2)
            assert (await client.read_all()).count(b"\r\n\r\nGET /\n") == 2
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())


def test_a_client_that_closes_without_a_request_is_told_that_the_server_closes_too() -> None:
    async def main() -> None:
        async with running_server(tls=server_tls()) as running:
            client = TlsClient()
            await client.open(running.port)
            await client.shake_hands()
            client.send_and_close_own_half(b"")
            assert await client.read_all() == b""
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())


def test_an_unfinished_handshake_ends_when_its_time_is_up() -> None:
    async def main() -> None:
        clock = FakeClock()
        async with (
            running_server(tls=server_tls(), clock=clock) as running,
            running.client() as client,
        ):
            await running.connection()
            client.write(b"\x16\x03\x01")
            clock.now += 10
            running.server.abort_overdue()
            await run_loop()
            assert running.server.connections
            clock.now += 0.1
            running.server.abort_overdue()
            assert await client.read_all() == b""

    asyncio.run(main())


def test_the_time_for_a_request_begins_with_the_end_of_the_handshake() -> None:
    async def main() -> None:
        clock = FakeClock()
        async with running_server(tls=server_tls(), clock=clock) as running:
            client = TlsClient()
            await client.open(running.port)
            connection = await running.connection()
            clock.now += 9
            await client.shake_hands()
            await wait_until(lambda: connection.since == clock.now)
            client.send_and_close_own_half(LAST_GET)
            assert status_code(await client.read_all()) == 200

    asyncio.run(main())


def test_a_client_that_does_not_speak_tls_gets_no_page() -> None:
    async def main() -> None:
        async with running_server(tls=server_tls()) as running:
            assert b"HTTP" not in await running.send()
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())


def test_a_client_whose_version_of_tls_is_not_accepted_gets_an_alert() -> None:
    async def main() -> None:
        tls, client_tls = server_tls(), client_context()
        tls.context.minimum_version = ssl.TLSVersion.TLSv1_3
        client_tls.maximum_version = ssl.TLSVersion.TLSv1_2
        async with running_server(tls=tls) as running:
            with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
                await running.send(tls=client_tls)
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())


def test_a_client_that_is_not_allowed_gets_no_page() -> None:
    async def main() -> None:
        async with running_server(tls=server_tls(allows_clients=False)) as running:
            assert await running.send(tls=client_context()) == b""
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())


def test_each_connection_gets_the_settings_of_its_time() -> None:
    settings = [None, server_tls(), None]

    async def main() -> None:
        async with running_server(tls=settings.pop) as running:
            assert status_code(await running.send()) == 200
            assert status_code(await running.send(tls=client_context())) == 200
            assert status_code(await running.send()) == 200

    asyncio.run(main())


@pytest.mark.parametrize("handshake", [b"", b"\x16\x03\x01"], ids=["before", "in the midst"])
def test_a_client_may_leave_before_the_handshake_is_complete(
    handshake: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with running_server(tls=server_tls()) as running, running.client() as client:
            await running.connection()
            client.write(handshake)
            client.transport.write_eof()
            assert await client.read_all() == b""
            await wait_until(lambda: not running.server.connections)

    asyncio.run(main())
    assert not caplog.records
