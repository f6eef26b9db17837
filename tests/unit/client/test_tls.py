"""TLS: which certificates are trusted, and the reasons for which others are not."""

from __future__ import annotations

import logging
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
from certificates import Authority
from raw_http_server import Move, peer, well_behaved
from vendor_calls import CLIENT, TIMEOUT, credits_today, failure, polled, run, source

from exporter.client.client import HttpClient
from exporter.client.tls import system_ssl_context
from exporter.config.models import Http
from exporter.model import FailureReason, PollFailure

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "IP:127.0.0.1"
UNTRUSTED = "the vendor's certificate is not trusted"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"))


def outcome(
    tls: ssl.SSLContext, trusted: Path | None, client: HttpClient = CLIENT
) -> PollFailure | float:
    """Of a poll of a server with this side of TLS: its failure, or the credits."""

    async def main() -> PollFailure | float:
        http = {"tls_ca_file": str(trusted)} if trusted else {}
        async with peer(well_behaved, tls) as there:
            target = source(there.url, http=http)
            transport = client.transport(target.target.http)
            attempt = await polled(target._replace(transport=transport))
            assert all(b"Bearer" in request for request in there.requests)
            if isinstance(attempt.result, PollFailure):
                assert there.requests == []
                return attempt.result
            return credits_today(attempt)

    return run(main())


def test_a_certificate_of_a_trusted_authority_for_the_right_name_is_accepted(
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
        "no TLS connection with the vendor",
    ),
}


@pytest.mark.parametrize(("server", "detail"), BAD.values(), ids=BAD)
def test_a_server_with_an_invalid_certificate_gets_no_request(
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


def test_a_replaced_tls_ca_file_is_used_at_the_next_poll(
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


def test_a_tls_ca_file_that_is_missing_is_an_error_before_the_first_request(
    authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.certificate.read_bytes())
    settings = Http.model_validate({"tls_ca_file": str(file)})
    file.unlink()
    with pytest.raises(FileNotFoundError):
        HttpClient("test/1").transport(settings)


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


def test_a_server_without_tls_is_a_tls_failure() -> None:
    async def main() -> None:
        async with peer(well_behaved, greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as there:
            attempt = await polled(source(f"https://127.0.0.1:{there.port}"))
        assert failure(attempt).reason == FailureReason.TLS

    run(main())


def test_a_server_that_sends_nothing_is_a_timeout() -> None:
    async def main() -> None:
        async with peer(lambda _: [Move.HANG]) as there:
            url = f"https://127.0.0.1:{there.port}"
            attempt = await polled(source(url, poll={"timeout": f"{TIMEOUT}s"}))
        assert failure(attempt).reason == FailureReason.TIMEOUT

    run(main())


def test_targets_with_the_same_authorities_share_an_ssl_context(authority: Authority) -> None:
    client = HttpClient("test/1")
    trusted = {"tls_ca_file": str(authority.certificate)}
    by_environment = {"proxy_from_environment": True}
    contexts = {
        id(client._ssl_context(Http.model_validate(keys).tls_ca_file))  # noqa: SLF001  not visible otherwise
        for keys in ({}, by_environment, trusted, trusted | by_environment)
    }
    assert len(contexts) == 2


def test_targets_with_the_same_http_settings_share_a_transport() -> None:
    client = HttpClient("test/1")
    transport = client.transport(Http())
    assert client.transport(Http()) is transport
    assert client.transport(Http(proxy_from_environment=True)) is not transport


# What OpenSSL's strict flag, which Python 3.13 sets, refuses: no key usage, and basic
# constraints that are not critical. Inspecting proxies have such authorities.
SLOPPY_CA = """
[req]
distinguished_name = name
x509_extensions = extensions
[name]
[extensions]
basicConstraints = CA:TRUE
subjectKeyIdentifier = hash
authorityKeyIdentifier = none
"""


def test_an_authority_that_violates_details_of_the_standard_is_trusted(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)
    (tmp_path / "sloppy.cnf").write_text(SLOPPY_CA)
    arguments = "req -x509 -config sloppy.cnf -key ca.key -out ca.pem -subj /CN=Test -days 30"
    subprocess.run(  # noqa: S603  fixed words
        ["openssl", *arguments.split()],  # noqa: S607  as above
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert outcome(authority.server(HERE), authority.certificate) == 9


def authorities(context: ssl.SSLContext) -> int:
    return len(context.get_ca_certs())


@pytest.fixture
def certificates(authority: Authority, tmp_path: Path) -> Path:
    """A folder as Kubernetes mounts one: a certificate under any name, and other files."""
    folder = tmp_path / "mounted"
    (folder / "folder").mkdir(parents=True)
    (folder / "our-ca.crt").write_bytes(authority.certificate.read_bytes())
    (folder / "README").write_text("no certificate")
    return folder


def test_ssl_cert_file_replaces_the_systems_file(certificates: Path, tmp_path: Path) -> None:
    environ = {"SSL_CERT_FILE": str(certificates / "our-ca.crt")}
    context = system_ssl_context(environ, [tmp_path / "missing"], [])
    assert authorities(context) == 1


def test_ssl_cert_dir_names_folders_in_which_every_file_counts(
    certificates: Path, tmp_path: Path
) -> None:
    unusable = f"{tmp_path / 'missing'}:{'x' * 300}"
    environ = {"SSL_CERT_DIR": f"{unusable}:{certificates}"}
    context = system_ssl_context(environ, [], [])
    assert authorities(context) == 1


def test_the_first_usable_file_of_the_system_is_loaded(certificates: Path) -> None:
    files = [certificates / "README", certificates / "our-ca.crt", Path(certifi.where())]
    assert authorities(system_ssl_context({}, files, [])) == 1


def test_the_systems_folder_of_hashed_certificates_is_used(
    authority: Authority, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = subprocess.run(  # noqa: S603  fixed words
        ["openssl", "x509", "-hash", "-noout", "-in", authority.certificate],  # noqa: S607  fixed words
        check=True,
        capture_output=True,
        text=True,
    )
    (certificates / f"{hashed.stdout.strip()}.0").symlink_to("our-ca.crt")
    monkeypatch.setattr(
        "exporter.client.client.system_ssl_context",
        lambda environ: system_ssl_context(environ, [], [certificates]),
    )
    assert outcome(authority.server(HERE), None, HttpClient("test/1", {})) == 9


def test_certifi_is_used_only_where_the_system_has_no_authorities(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        context = system_ssl_context({}, [tmp_path / "missing"], [tmp_path])
    assert authorities(context) > 100
    assert [record.__dict__["source"] for record in caplog.records] == [certifi.where()]


def test_ssl_cert_file_without_certificates_trusts_nobody_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = system_ssl_context({"SSL_CERT_FILE": str(tmp_path / "missing")}, [], [])
    assert authorities(context) == 0
    assert caplog.messages == [
        "SSL_CERT_FILE and SSL_CERT_DIR name no certificates: no vendor is trusted"
    ]


def test_session_keys_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert system_ssl_context({}).keylog_filename is None
