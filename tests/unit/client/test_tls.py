"""TLS: a vendor is believed when its certificate is, and else told by reason."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from certificates import Authority
from raw_http_server import Move, peer, well_behaved
from vendor_calls import credits_today, failure, polled, run, source

from exporter.client.client import HttpClient
from exporter.config.models import Http
from exporter.model import FailureReason, PollFailure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = "IP:127.0.0.1"
UNTRUSTED = "the vendor's certificate is not trusted"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"))


def outcome(tls: ssl.SSLContext, trusted: Path | None) -> PollFailure | float:
    """Of a poll of a server with this side of TLS: its failure, or the credits."""

    async def main() -> PollFailure | float:
        http = {"tls_ca_file": str(trusted)} if trusted else {}
        async with peer(well_behaved, tls) as there:
            attempt = await polled(source(there.url, http=http, poll={"timeout": "2s"}))
            assert all(b"Bearer" in request for request in there.requests)
            if isinstance(attempt.result, PollFailure):
                assert there.requests == []
                return attempt.result
            return credits_today(attempt)

    return run(main())


def test_a_certificate_of_a_trusted_authority_for_the_right_name_is_believed(
    authority: Authority,
) -> None:
    assert outcome(authority.server(HERE), authority.certificate) == 9


def old(context: ssl.SSLContext) -> ssl.SSLContext:
    """As a server that knows no version above TLS 1.1."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


BAD: dict[str, tuple[Callable[[Authority], ssl.SSLContext], str]] = {
    "expired": (
        lambda authority: authority.server(HERE, expired=True),
        f"{UNTRUSTED}: certificate has expired",
    ),
    "another address": (
        lambda authority: authority.server("IP:127.0.0.2"),
        f"{UNTRUSTED}: IP address mismatch, certificate is not valid for '127.0.0.1'.",
    ),
    "another name": (
        lambda authority: authority.server("DNS:example.com"),
        f"{UNTRUSTED}: IP address mismatch, certificate is not valid for '127.0.0.1'.",
    ),
    "an old version": (
        lambda authority: old(authority.server(HERE)),
        "no TLS connection with the vendor: ",
    ),
}


@pytest.mark.parametrize(("server", "detail"), BAD.values(), ids=BAD)
def test_a_server_that_is_not_to_be_believed_gets_no_request(
    authority: Authority, server: Callable[[Authority], ssl.SSLContext], detail: str
) -> None:
    found = outcome(server(authority), authority.certificate)
    assert isinstance(found, PollFailure)
    assert found.reason == FailureReason.TLS
    assert found.detail.startswith(detail)


def test_an_authority_that_is_not_configured_is_not_trusted(authority: Authority) -> None:
    assert outcome(authority.server(HERE), None) == (
        FailureReason.TLS,
        f"{UNTRUSTED}: unable to get local issuer certificate",
        None,
    )


def test_a_file_of_authorities_that_is_replaced_counts_at_the_next_poll(
    authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    another = tmp_path / "another"
    another.mkdir()
    file.write_bytes(Authority.new(another).certificate.read_bytes())

    async def main() -> None:
        async with peer(well_behaved, authority.server(HERE)) as there:
            target = source(there.url, http={"tls_ca_file": str(file)})
            assert failure(await polled(target)).reason == FailureReason.TLS
            file.write_bytes(authority.certificate.read_bytes())
            assert credits_today(await polled(target)) == 9
            file.write_text("no certificate")
            assert credits_today(await polled(target)) == 9
            file.unlink()
            assert credits_today(await polled(target)) == 9

    run(main())


def test_a_certificate_signed_by_itself_is_not_trusted(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority.new(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other.certificate, tmp_path / "ca.key")
    found = outcome(context, authority.certificate)
    assert found == (
        FailureReason.TLS,
        f"{UNTRUSTED}: self-signed certificate",
        None,
    )


def test_a_server_without_tls_is_a_failure_of_tls() -> None:
    async def main() -> None:
        async with peer(well_behaved, greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as there:
            attempt = await polled(source(f"https://127.0.0.1:{there.port}"))
        assert failure(attempt).reason == FailureReason.TLS

    run(main())


def test_a_server_that_says_nothing_is_a_timeout() -> None:
    async def main() -> None:
        async with peer(lambda _: [Move.HANG]) as there:
            attempt = await polled(source(f"https://127.0.0.1:{there.port}"))
        assert failure(attempt).reason == FailureReason.TIMEOUT

    run(main())


def test_one_context_serves_all_targets_with_the_same_trust(authority: Authority) -> None:
    client = HttpClient("test/1")
    trusted = {"tls_ca_file": str(authority.certificate)}
    by_environment = {"proxy_from_environment": True}
    for keys in ({}, by_environment, trusted, trusted | by_environment):
        client.transport(Http.model_validate(keys))
        client.load()
    assert len(client._trusts) == 2  # noqa: SLF001  the cost is not to be seen otherwise


def test_targets_that_are_reached_alike_share_their_way_out() -> None:
    client = HttpClient("test/1")
    way = client.transport(Http())
    assert client.transport(Http()) is way
    assert client.transport(Http(proxy_from_environment=True)) is not way
