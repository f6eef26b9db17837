"""Proxies: used as configured; from the environment only where that is enabled."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from certificates import Authority
from raw_http_server import peer, response, well_behaved
from vendor_calls import KEY, credits_today, failure, polled, run, source

from exporter.client.proxies import is_excluded
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


def test_a_request_goes_through_the_proxy_and_not_to_the_vendor() -> None:
    async def main() -> None:
        async with peer(well_behaved) as proxy:
            poll_target = source("http://vendor.example/x", http={"proxy_url": proxy.url})
            assert credits_today(await polled(poll_target)) == 9
        assert first_lines(proxy) == [
            b"GET http://vendor.example/x/v3/usage?organization=oRg1 HTTP/1.1",
            b"GET http://vendor.example/x/v3/organizations HTTP/1.1",
        ]

    run(main())


def test_a_proxy_receives_its_user_and_password() -> None:
    async def main() -> None:
        async with peer(well_behaved) as proxy:
            url = proxy.url.replace("//", "//user:p%40ss@")
            await polled(source("http://vendor.example", http={"proxy_url": url}))
        given = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:p@ss")
        assert all(given in request.split(b"\r\n") for request in proxy.requests)

    run(main())


NEEDS_PASSWORD = "HTTP status 407: the proxy requires a user and a password; check http.proxy_url"
REFUSED = "the proxy refused to connect to the vendor: HTTP status"


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (b"407 Who are you", NEEDS_PASSWORD),
        (b"502 Bad Gateway", f"{REFUSED} 502"),
        (b"403 Forbidden", f"{REFUSED} 403"),
        (b"999 " + KEY.encode(), "the proxy cannot be used"),
    ],
)
def test_a_proxy_that_refuses_the_tunnel_is_named_and_sees_no_key(
    status: bytes, detail: str
) -> None:
    async def main() -> None:
        async with peer(lambda _: [response(b"", status)]) as proxy:
            target = source("https://vendor.example", http={"proxy_url": proxy.url})
            assert (await polled(target)).result == (FailureReason.CONNECT, detail, None)
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
            poll_target = source("https://vendor.example", http=http)
            assert credits_today(await polled(poll_target)) == 9
        assert seen[0].startswith(b"CONNECT vendor.example:443 HTTP/1.1\r\n")
        assert KEY.encode() in vendor.requests[0]
        assert KEY.encode() not in b"".join(seen)

    run(main())


def test_a_proxys_certificate_is_checked_like_the_vendors(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)
    http: dict[str, object] = {"tls_ca_file": str(authority.certificate)}

    async def main(name: str) -> PollAttempt:
        async with peer(well_behaved, authority.server(name)) as proxy:
            known = http | {"proxy_url": proxy.url}
            return await polled(source("http://vendor.example", http=known))

    assert credits_today(run(main("IP:127.0.0.1"))) == 9
    assert failure(run(main("DNS:other.example"))).reason == FailureReason.TLS


def test_a_proxy_that_requires_a_password_for_plain_http_is_named() -> None:
    async def main() -> None:
        async with peer(lambda _: [response(b"No.", b"407 Who are you")]) as proxy:
            target = source("http://vendor.example", http={"proxy_url": proxy.url})
            assert (await polled(target)).result == (FailureReason.CONNECT, NEEDS_PASSWORD, None)

    run(main())


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("url", "result"),
    [
        (
            "http://127.0.0.1:9",
            (FailureReason.CONNECT, "cannot connect to the proxy, or the connection broke", None),
        ),
        (
            "http://a..b:3128",
            (FailureReason.DNS, "the proxy's host name cannot be resolved", None),
        ),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_named(
    scheme: str, url: str, result: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    target = source(f"{scheme}://vendor.example", http=FROM_ENVIRONMENT)
    assert run(polled(target)).result == result


def test_a_vendor_without_tls_behind_a_tunnel_is_not_taken_for_the_proxy() -> None:
    async def main() -> None:
        plain = peer(well_behaved, greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n")
        async with plain as vendor, tunnel(vendor) as (url, _):
            target = source("https://vendor.example", http={"proxy_url": url})
            result = failure(await polled(target))
        assert result.reason == FailureReason.TLS
        assert result.detail.startswith("no TLS connection with the vendor")

    run(main())


@pytest.mark.parametrize(
    ("url", "no_proxy", "expected"),
    [
        ("https://api.example.com", "api.example.com", True),
        ("https://api.example.com", "example.com", True),
        ("https://api.example.com", ".example.com", True),
        ("https://api.example.com", "*.example.com", True),
        ("https://example.com", ".example.com", True),
        ("https://API.Example.com.", "EXAMPLE.com", True),
        ("https://badexample.com", "example.com", False),
        ("https://api.example.com", "*", True),
        ("https://api.example.com", "", False),
        ("https://api.example.com", ".", False),
        ("https://api.example.com", "other.example, api.example.com", True),
        ("https://api.example.com", "other.example api.example.com", True),
        ("https://api.example.com", "api.example.com:443", True),
        ("https://api.example.com", "api.example.com:8443", False),
        ("https://api.example.com:8443", "api.example.com:8443", True),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.1.2.0/25", True),
        ("https://10.1.2.3", "10.1.2.128/25", False),
        ("https://10.1.2.3", "10.1.2.9/24", True),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3", "10.1.2.3:443", True),
        ("https://10.1.2.3", "2.3", False),
        ("https://10.1.2.3", "10.0.0.0/99", False),
        ("https://api.example.com", "10.0.0.0/8", False),
        ("https://[2001:db8::1]", "2001:db8::/32", True),
        ("https://[2001:db8::1]", "2001:db8::1", True),
        ("https://[2001:db8::1]", "[2001:db8::1]", True),
        ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", True),
        ("https://[2001:db8::1]", "[2001:db8::1]:8443", False),
        ("https://[2001:db8::1]", "10.0.0.0/8", False),
    ],
)
def test_no_proxy_excludes_hosts_domains_ports_and_address_ranges(
    url: str,
    no_proxy: str,
    expected: bool,  # noqa: FBT001  the case's answer
) -> None:
    assert is_excluded(url, no_proxy) is expected


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
def test_a_proxy_from_the_environment_is_used_only_where_configured(
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
def test_an_unusable_proxy_in_the_environment_is_reported(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    attempt = run(polled(source("http://vendor.example", http=FROM_ENVIRONMENT)))
    assert attempt.result == (
        FailureReason.CONNECT,
        "the proxy's URL is not that of an HTTP proxy",
        None,
    )
