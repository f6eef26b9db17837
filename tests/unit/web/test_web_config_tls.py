"""TLS as a web configuration asks for it: every option seen from a client's side."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
from raw_http_client import status_code
from self_signed import certificate, client_context
from web_server import running_web_server

from exporter.web.web_config.loader import LiveWebConfig
from exporter.web.web_config.tls import (
    CIPHER_SUITES,
    CURVES,
    TlsError,
    context,
    names_in,
    set_cipher_suites,
    set_curve,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = certificate("here")
ALICE = certificate("alice", "DNS:alice.example,email:alice@example.com,IP:::1,URI:spiffe://x/a")
BOB = certificate("bob", "DNS:bob.example,IP:192.0.2.7")
KNOWN = "client_ca_file: ca.pem"


def live(folder: Path, *lines: str) -> LiveWebConfig:
    """A web configuration with these lines below `tls_server_config`; ALICE and BOB are known."""
    (folder / "cert.pem").write_text(HERE.cert)
    (folder / "key.pem").write_text(HERE.key)
    (folder / "ca.pem").write_text(ALICE.cert + BOB.cert)
    path = folder / "web.yaml"
    whole = ["tls_server_config:", "cert_file: cert.pem", "key_file: key.pem", *lines]
    path.write_text("\n  ".join(whole) + "\n")
    return LiveWebConfig(path)


def connects(web: LiveWebConfig, client: ssl.SSLContext) -> bool:
    """Whether a client gets a page."""

    async def main() -> bool:
        async with running_web_server(web.current) as here:
            try:
                return status_code(await here.send(tls=client)) == 200
            except (ssl.SSLError, ConnectionError):
                return False

    return asyncio.run(main())


def negotiated(web: LiveWebConfig, client: ssl.SSLContext) -> tuple[str, str]:
    """The version and the cipher that a client and the server agree on."""

    async def main() -> tuple[str, str]:
        async with running_web_server(web.current) as here, here.client(client) as connection:
            tls: ssl.SSLObject = connection.transport.get_extra_info("ssl_object")
            cipher = tls.cipher()
            assert cipher
            return str(tls.version()), cipher[0]

    return asyncio.run(main())


STRANGER = certificate("stranger")


@pytest.mark.parametrize(
    ("policy", "nobody", "known", "stranger"),
    [
        ("NoClientCert", True, True, True),
        ("VerifyClientCertIfGiven", True, True, False),
        ("RequireAndVerifyClientCert", False, True, False),
    ],
)
def test_clients_are_let_in_as_the_policy_says(
    tmp_path: Path, policy: str, *, nobody: bool, known: bool, stranger: bool
) -> None:
    authorities = [] if policy == "NoClientCert" else [KNOWN]
    web = live(tmp_path, f"client_auth_type: {policy}", *authorities)
    assert connects(web, client_context()) is nobody
    assert connects(web, client_context(ALICE)) is known
    assert connects(web, client_context(STRANGER)) is stranger


def test_without_authorities_the_systems_own_decide(tmp_path: Path) -> None:
    web = live(tmp_path, "client_auth_type: VerifyClientCertIfGiven")
    assert connects(web, client_context())
    assert not connects(web, client_context(ALICE))


@pytest.mark.parametrize(
    ("allowed", "alice", "bob"),
    [
        ("alice.example", True, False),
        ("alice@example.com", True, False),
        ("spiffe://x/a", True, False),
        ("'::1'", True, False),
        ("'0:0:0:0:0:0:0:1'", True, False),
        ("192.0.2.7", False, True),
        ("bob.example, '::1'", True, True),
        ("ALICE.example", False, False),
        ("alice", False, False),
        ("example", False, False),
    ],
)
def test_a_client_needs_one_of_the_allowed_names(
    tmp_path: Path, allowed: str, *, alice: bool, bob: bool
) -> None:
    web = live(
        tmp_path,
        KNOWN,
        "client_auth_type: RequireAndVerifyClientCert",
        f"client_allowed_sans: [{allowed}]",
    )
    assert connects(web, client_context(ALICE)) is alice
    assert connects(web, client_context(BOB)) is bob


def test_names_of_other_kinds_are_none() -> None:
    names = (("DNS", "a"), ("DirName", ((("commonName", "b"),),)), ("IP Address", "<invalid>"))
    assert list(names_in({"subjectAltName": names})) == ["a", "<invalid>"]
    assert list(names_in({})) == []


def limited(version: ssl.TLSVersion) -> ssl.SSLContext:
    client = client_context()
    client.minimum_version = client.maximum_version = version
    return client


@pytest.mark.parametrize(
    ("lines", "old", "new"),
    [
        ([], True, True),
        (["min_version: TLS13"], False, True),
        (["max_version: TLS12"], True, False),
        (["min_version: TLS12", "max_version: TLS13"], True, True),
    ],
)
def test_versions_are_bounded(tmp_path: Path, lines: list[str], *, old: bool, new: bool) -> None:
    web = live(tmp_path, *lines)
    assert connects(web, limited(ssl.TLSVersion.TLSv1_2)) is old
    assert connects(web, limited(ssl.TLSVersion.TLSv1_3)) is new


def test_only_the_suites_that_are_listed_are_used_and_tls_1_3_has_its_own(tmp_path: Path) -> None:
    web = live(tmp_path, "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]")
    old = limited(ssl.TLSVersion.TLSv1_2)
    assert negotiated(web, old) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    old.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert not connects(web, old)
    assert connects(web, limited(ssl.TLSVersion.TLSv1_3))


@pytest.mark.parametrize(("prefers", "size"), [("true", 256), ("false", 128)])
def test_the_order_of_suites_is_the_servers_or_the_clients(
    tmp_path: Path, prefers: str, size: int
) -> None:
    suites = [f"TLS_ECDHE_ECDSA_WITH_AES_{each}" for each in ("256_GCM_SHA384", "128_GCM_SHA256")]
    web = live(
        tmp_path,
        f"cipher_suites: [{', '.join(suites)}]",
        f"prefer_server_cipher_suites: {prefers}",
    )
    client = limited(ssl.TLSVersion.TLSv1_2)
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert f"AES{size}" in negotiated(web, client)[1]


@pytest.mark.parametrize("curve", CURVES)
def test_the_one_curve_that_is_preferred_is_the_only_one(tmp_path: Path, curve: str) -> None:
    web = live(tmp_path, f"curve_preferences: [{curve}]")
    for name, openssl in CURVES.items():
        client = client_context()
        client.set_ecdh_curve(openssl)
        assert connects(web, client) is (name == curve)


@pytest.mark.parametrize("suite", CIPHER_SUITES)
def test_every_suite_that_go_names_is_known_here(suite: str) -> None:
    made = made_context()
    set_cipher_suites(made, [suite], server_first=True)
    (name,) = [each["name"] for each in made.get_ciphers() if each["protocol"] != "TLSv1.3"]
    assert name == CIPHER_SUITES[suite]


def made_context() -> ssl.SSLContext:
    pair = HERE.cert.encode(), HERE.key.encode()
    return context(*pair, None, "NoClientCert", ("TLS12", "TLS13"))


class Poor(ssl.SSLContext):
    """An OpenSSL without anything to choose from."""

    def set_ciphers(self, _: str) -> None:
        raise ssl.SSLError

    def set_ecdh_curve(self, _: str) -> None:
        raise ValueError


@pytest.mark.parametrize(
    ("choose", "words"),
    [
        (
            lambda made: set_cipher_suites(made, list(CIPHER_SUITES)[:1], server_first=True),
            "this OpenSSL does not offer ECDHE-ECDSA-AES128-SHA",
        ),
        (
            lambda made: set_curve(made, "X25519"),
            "this OpenSSL does not offer the curve",
        ),
    ],
)
def test_what_openssl_does_not_have_is_refused(
    choose: Callable[[ssl.SSLContext], None], words: str
) -> None:
    with pytest.raises(TlsError, match=words):
        choose(Poor(ssl.PROTOCOL_TLS_SERVER))


def shown(web: LiveWebConfig) -> bytes:
    """The certificate that the next client is shown."""

    async def main() -> bytes:
        async with running_web_server(web.current) as here, here.client(client_context()) as client:
            tls: ssl.SSLObject = client.transport.get_extra_info("ssl_object")
            return tls.getpeercert(binary_form=True) or b""

    return asyncio.run(main())


def test_a_renewed_certificate_is_shown_to_the_next_client(tmp_path: Path) -> None:
    web = live(tmp_path)
    assert shown(web) == ssl.PEM_cert_to_DER_cert(HERE.cert)
    renewed = certificate("renewed")
    (tmp_path / "cert.pem").write_text(renewed.cert)
    assert not connects(web, client_context())  # until the key is there, too
    (tmp_path / "key.pem").write_text(renewed.key)
    assert shown(web) == ssl.PEM_cert_to_DER_cert(renewed.cert)


def test_an_authority_that_is_no_longer_trusted_lets_nobody_in(tmp_path: Path) -> None:
    web = live(tmp_path, KNOWN, "client_auth_type: RequireAndVerifyClientCert")
    assert connects(web, client_context(BOB))
    (tmp_path / "ca.pem").write_text(ALICE.cert)
    assert not connects(web, client_context(BOB))
    assert connects(web, client_context(ALICE))
