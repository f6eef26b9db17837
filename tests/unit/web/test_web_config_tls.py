"""The TLS options of a web configuration, as clients see them."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
from raw_http_client import status_code
from self_signed import certificate, client_context
from web_server import running_web_server

from exporter.web.web_config.loader import LiveWebConfig
from exporter.web.web_config.schema import TlsServerConfig
from exporter.web.web_config.tls import (
    CIPHER_SUITES,
    CURVES,
    TlsError,
    alternative_names,
    create_context,
    set_cipher_suites,
    set_curve,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERVER = certificate("server")
ALICE = certificate("alice", "DNS:alice.example,email:alice@example.com,IP:::1,URI:spiffe://x/a")
BOB = certificate("bob", "DNS:bob.example,IP:192.0.2.7")
CLIENT_CA = "client_ca_file: ca.pem"


def live(folder: Path, *lines: str) -> LiveWebConfig:
    """A web configuration with these lines in `tls_server_config`; ca.pem has ALICE and BOB."""
    (folder / "cert.pem").write_text(SERVER.cert)
    (folder / "key.pem").write_text(SERVER.key)
    (folder / "ca.pem").write_text(ALICE.cert + BOB.cert)
    path = folder / "web.yaml"
    whole = ["tls_server_config:", "cert_file: cert.pem", "key_file: key.pem", *lines]
    path.write_text("\n  ".join(whole) + "\n")
    return LiveWebConfig(path)


def connects(web: LiveWebConfig, client: ssl.SSLContext) -> bool:
    """Whether a client gets a response."""

    async def main() -> bool:
        async with running_web_server(web.current, has_tls=True) as here:
            try:
                return status_code(await here.send(tls=client)) == 200
            except (ssl.SSLError, ConnectionError):
                return False

    return asyncio.run(main())


def negotiated(web: LiveWebConfig, client: ssl.SSLContext) -> tuple[str, str]:
    """The version and the cipher that a client and the server agree on."""

    async def main() -> tuple[str, str]:
        async with (
            running_web_server(web.current, has_tls=True) as here,
            here.client(client) as connection,
        ):
            tls: ssl.SSLObject = connection.transport.get_extra_info("ssl_object")
            cipher = tls.cipher()
            assert cipher
            return str(tls.version()), cipher[0]

    return asyncio.run(main())


UNTRUSTED = certificate("untrusted")


@pytest.mark.parametrize(
    ("auth_type", "without", "trusted", "untrusted"),
    [
        ("NoClientCert", True, True, True),
        ("VerifyClientCertIfGiven", True, True, False),
        ("RequireAndVerifyClientCert", False, True, False),
    ],
)
def test_client_certificates_are_verified_as_client_auth_type_says(
    tmp_path: Path, auth_type: str, *, without: bool, trusted: bool, untrusted: bool
) -> None:
    authorities = [] if auth_type == "NoClientCert" else [CLIENT_CA]
    web = live(tmp_path, f"client_auth_type: {auth_type}", *authorities)
    assert connects(web, client_context()) is without
    assert connects(web, client_context(ALICE)) is trusted
    assert connects(web, client_context(UNTRUSTED)) is untrusted


def test_without_a_client_ca_given_certificates_are_verified_with_the_systems(
    tmp_path: Path,
) -> None:
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
def test_a_client_certificate_needs_one_of_the_allowed_names(
    tmp_path: Path, allowed: str, *, alice: bool, bob: bool
) -> None:
    web = live(
        tmp_path,
        CLIENT_CA,
        "client_auth_type: RequireAndVerifyClientCert",
        f"client_allowed_sans: [{allowed}]",
    )
    assert connects(web, client_context(ALICE)) is alice
    assert connects(web, client_context(BOB)) is bob


def test_names_of_other_types_are_ignored() -> None:
    names = (("DNS", "a"), ("DirName", ((("commonName", "b"),),)), ("IP Address", "<invalid>"))
    assert list(alternative_names({"subjectAltName": names})) == ["a", "<invalid>"]
    assert list(alternative_names({})) == []


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
def test_versions_are_limited(tmp_path: Path, lines: list[str], *, old: bool, new: bool) -> None:
    web = live(tmp_path, *lines)
    assert connects(web, limited(ssl.TLSVersion.TLSv1_2)) is old
    assert connects(web, limited(ssl.TLSVersion.TLSv1_3)) is new


def test_cipher_suites_limit_tls_1_2_only(tmp_path: Path) -> None:
    web = live(tmp_path, "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]")
    old = limited(ssl.TLSVersion.TLSv1_2)
    assert negotiated(web, old) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    old.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert not connects(web, old)
    assert connects(web, limited(ssl.TLSVersion.TLSv1_3))


@pytest.mark.parametrize(("prefers", "size"), [("true", 256), ("false", 128)])
def test_prefer_server_cipher_suites_decides_whose_order_is_used(
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


CLASSIC_CURVES = [curve for curve in CURVES if curve != "X25519MLKEM768"]  # OpenSSL 3.5 has that


@pytest.mark.parametrize("curve", CLASSIC_CURVES)
def test_a_single_curve_is_the_only_one_accepted(tmp_path: Path, curve: str) -> None:
    web = live(tmp_path, f"curve_preferences: [{curve}]")
    for name in CLASSIC_CURVES:
        client = client_context()
        client.set_ecdh_curve(CURVES[name])
        assert connects(web, client) is (name == curve)


class OldOpenSsl(ssl.SSLContext):
    """An OpenSSL before 3.5."""

    def set_ecdh_curve(self, name: str) -> None:
        if name == "X25519MLKEM768":
            raise ValueError
        self.curve = name


def test_of_several_curves_the_first_that_openssl_supports_is_used() -> None:
    context = OldOpenSsl(ssl.PROTOCOL_TLS_SERVER)
    set_curve(context, ("X25519MLKEM768", "CurveP384", "X25519"))
    assert context.curve == "secp384r1"


def test_tls_1_3_suites_have_no_effect_with_others(tmp_path: Path) -> None:
    suites = "TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    web = live(tmp_path, f"cipher_suites: [{suites}]")
    old = limited(ssl.TLSVersion.TLSv1_2)
    assert negotiated(web, old) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    assert negotiated(web, client_context())[1] == "TLS_AES_256_GCM_SHA384"


def test_tls_1_2_is_disabled_if_all_suites_are_of_tls_1_3(tmp_path: Path) -> None:
    web = live(tmp_path, "cipher_suites: [TLS_AES_128_GCM_SHA256]")
    assert not connects(web, limited(ssl.TLSVersion.TLSv1_2))
    assert connects(web, limited(ssl.TLSVersion.TLSv1_3))


@pytest.mark.parametrize("suite", CIPHER_SUITES)
def test_every_cipher_suite_of_go_is_supported(suite: str) -> None:
    context = new_context()
    set_cipher_suites(context, [suite])
    (name,) = [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
    assert name == CIPHER_SUITES[suite]


def new_context() -> ssl.SSLContext:
    return create_context(TlsServerConfig.model_validate({"cert": SERVER.cert, "key": SERVER.key}))


class Unsupported(ssl.SSLContext):
    """An OpenSSL that supports no cipher suite and no curve."""

    def set_ciphers(self, _: str) -> None:
        raise ssl.SSLError

    def set_ecdh_curve(self, _: str) -> None:
        raise ValueError


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (
            lambda context: set_cipher_suites(context, list(CIPHER_SUITES)[:1]),
            "this OpenSSL does not support ECDHE-ECDSA-AES128-SHA",
        ),
        (
            lambda context: set_curve(context, ("X25519",)),
            "this OpenSSL does not support the curve",
        ),
    ],
)
def test_an_option_that_openssl_does_not_support_is_refused(
    choose: Callable[[ssl.SSLContext], object], message: str
) -> None:
    with pytest.raises(TlsError, match=message):
        choose(Unsupported(ssl.PROTOCOL_TLS_SERVER))


def sent_certificate(web: LiveWebConfig) -> bytes:
    """The certificate that the server sends to the next client."""

    async def main() -> bytes:
        async with (
            running_web_server(web.current, has_tls=True) as here,
            here.client(client_context()) as client,
        ):
            tls: ssl.SSLObject = client.transport.get_extra_info("ssl_object")
            return tls.getpeercert(binary_form=True) or b""

    return asyncio.run(main())


def test_a_renewed_certificate_is_sent_to_the_next_client(tmp_path: Path) -> None:
    web = live(tmp_path)
    assert sent_certificate(web) == ssl.PEM_cert_to_DER_cert(SERVER.cert)
    renewed = certificate("renewed")
    (tmp_path / "cert.pem").write_text(renewed.cert)
    assert not connects(web, client_context())  # until the key has been replaced, too
    (tmp_path / "key.pem").write_text(renewed.key)
    assert sent_certificate(web) == ssl.PEM_cert_to_DER_cert(renewed.cert)


def test_certificates_of_a_removed_client_ca_are_rejected(tmp_path: Path) -> None:
    web = live(tmp_path, CLIENT_CA, "client_auth_type: RequireAndVerifyClientCert")
    assert connects(web, client_context(BOB))
    (tmp_path / "ca.pem").write_text(ALICE.cert)
    assert not connects(web, client_context(BOB))
    assert connects(web, client_context(ALICE))
