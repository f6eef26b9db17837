"""Proxies: used as configured, from the environment only where that is wanted."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from certificates import Authority
from raw_http_server import peer, reply, well_behaved
from vendor_calls import KEY, credits_today, failure, polled, run, source

from exporter.model import FailureReason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from raw_http_server import Peer

    from exporter.polling.poll import PollAttempt

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
FROM_ENVIRONMENT = {"proxy_from_environment": True}


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def first_lines(there: Peer) -> list[bytes]:
    return [request.split(b"\r\n")[0] for request in there.requests]


def test_a_call_goes_through_the_proxy_and_not_to_the_vendor() -> None:
    async def main() -> None:
        async with peer(well_behaved) as proxy:
            asking = source("http://vendor.example/x", http={"proxy_url": proxy.url})
            assert credits_today(await polled(asking)) == 9
        assert first_lines(proxy) == [
            b"GET http://vendor.example/x/v3/usage?organization=oRg1 HTTP/1.1",
            b"GET http://vendor.example/x/v3/organizations HTTP/1.1",
        ]

    run(main())


def test_a_proxy_is_told_its_user_and_password() -> None:
    async def main() -> None:
        async with peer(well_behaved) as proxy:
            url = proxy.url.replace("//", "//user:p%40ss@")
            await polled(source("http://vendor.example", http={"proxy_url": url}))
        given = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:p@ss")
        assert all(given in request.split(b"\r\n") for request in proxy.requests)

    run(main())


@pytest.mark.parametrize("status", [b"407 Who are you", b"502 Bad Gateway", b"403 Forbidden"])
def test_a_tunnel_that_is_refused_is_a_failure_to_connect_and_sees_no_key(status: bytes) -> None:
    async def main() -> None:
        async with peer(lambda _: [reply(b"", status)]) as proxy:
            asking = source("https://vendor.example", http={"proxy_url": proxy.url})
            assert failure(await polled(asking)).reason == FailureReason.CONNECT
        assert first_lines(proxy) == [b"CONNECT vendor.example:443 HTTP/1.1"]
        assert KEY.encode() not in proxy.requests[0]

    run(main())


@asynccontextmanager
async def tunnel(vendor: Peer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that connects everybody to `vendor`: its URL, and what it could read."""
    seen: list[bytes] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(65536):
                writer.write(part)
                seen.append(part)
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", vendor.port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


def test_through_a_tunnel_only_the_vendor_sees_the_key(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)

    async def main() -> None:
        async with (
            peer(well_behaved, authority.server("DNS:vendor.example")) as vendor,
            tunnel(vendor) as (url, seen),
        ):
            http = {"proxy_url": url, "tls_ca_file": str(authority.certificate)}
            asking = source("https://vendor.example", http=http, poll={"timeout": "2s"})
            assert credits_today(await polled(asking)) == 9
        assert seen[0].startswith(b"CONNECT vendor.example:443 HTTP/1.1\r\n")
        assert KEY.encode() in vendor.requests[0]
        assert KEY.encode() not in b"".join(seen)

    run(main())


def test_a_proxy_with_tls_is_held_to_the_same_trust(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)
    http: dict[str, object] = {"tls_ca_file": str(authority.certificate)}

    async def main(name: str) -> PollAttempt:
        async with peer(well_behaved, authority.server(name)) as proxy:
            known = http | {"proxy_url": proxy.url}
            return await polled(source("http://vendor.example", http=known, poll={"timeout": "2s"}))

    assert credits_today(run(main("IP:127.0.0.1"))) == 9
    assert failure(run(main("DNS:other.example"))).reason == FailureReason.TLS


def test_a_proxy_that_is_not_there_is_a_failure_to_connect() -> None:
    asking = source("http://vendor.example", http={"proxy_url": "http://127.0.0.1:9"})
    assert failure(run(polled(asking))).reason == FailureReason.CONNECT


@pytest.mark.parametrize(
    ("variables", "http", "is_direct"),
    [
        ({"HTTP_PROXY": "http://127.0.0.1:{}"}, {}, True),
        ({"HTTP_PROXY": "http://127.0.0.1:{}"}, FROM_ENVIRONMENT, False),
        ({"http_proxy": "127.0.0.1:{}"}, FROM_ENVIRONMENT, False),
        ({"ALL_PROXY": "http://127.0.0.1:{}"}, FROM_ENVIRONMENT, False),
        ({"HTTPS_PROXY": "http://127.0.0.1:{}"}, FROM_ENVIRONMENT, True),
        ({"HTTP_PROXY": "http://127.0.0.1:{}", "NO_PROXY": "127.0.0.1"}, FROM_ENVIRONMENT, True),
        ({"HTTP_PROXY": "http://127.0.0.1:{}", "NO_PROXY": "x.example"}, FROM_ENVIRONMENT, False),
        ({"HTTP_PROXY": ""}, FROM_ENVIRONMENT, True),
        ({}, FROM_ENVIRONMENT, True),
    ],
    ids=str,
)
def test_the_environment_names_a_proxy_only_where_the_configuration_lets_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], http: object, *, is_direct: bool
) -> None:
    async def main() -> None:
        async with peer(well_behaved) as proxy, peer(well_behaved) as vendor:
            for name, value in variables.items():
                monkeypatch.setenv(name, value.format(proxy.port))
            assert credits_today(await polled(source(vendor.url, http=http))) == 9
        assert [len(there.requests) for there in (vendor, proxy)] == [2, 0] if is_direct else [0, 2]

    run(main())


@pytest.mark.parametrize(
    "url", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1", "http://127.0.0.1:x", "http://[::"]
)
def test_a_proxy_of_the_environment_that_cannot_be_used_is_said_so(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    attempt = run(polled(source("http://vendor.example", http=FROM_ENVIRONMENT)))
    assert attempt.result == (
        FailureReason.CONNECT,
        "the proxy's URL is not an HTTP proxy's",
        None,
    )
