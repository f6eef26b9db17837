"""Web configuration files: what they mean, and each way to be refused in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from self_signed import certificate

from exporter.config.errors import ConfigError
from exporter.web.web_config.loader import read_web_config
from exporter.web.web_config.models import Rate, WebConfig

BAD = Path(__file__).parent.parent.parent.parent / "tests" / "data" / "webconfig"
HERE = certificate("here")
HASH = "$2y$04$6HRb6wc3J0iGM33ORonT8OdEWLQEPCvIlJ5GmJxHPFM07yO/jo0Sm"


def said(path: Path) -> str:
    found, _ = read_web_config(path)
    assert isinstance(found, ConfigError)
    return str(found).replace(str(path), "")


def good(folder: Path, text: str) -> WebConfig:
    path = folder / "web.yaml"
    path.write_text(text)
    found, _ = read_web_config(path)
    assert isinstance(found, WebConfig), found
    return found


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_the_words_at_its_top(path: Path) -> None:
    expected = [f":{line[3:]}" for line in path.read_text().splitlines() if line.startswith("#> ")]
    assert said(path).splitlines() == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ": the file is empty"),
        (b"a: [", ":2: unterminated list or mapping in brackets"),
        (b"\xff", ":1: not UTF-8"),
        (b"#" * (2**20 + 1), ": is larger than 1048576 bytes"),
    ],
    ids=["empty", "cut", "binary", "huge"],
)
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "web.yaml"
    path.write_bytes(content)
    assert said(path) == words


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert said(tmp_path / "none.yaml") == ": cannot be read: No such file or directory"


def test_a_pipe_that_nobody_writes_to_is_an_empty_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web.yaml")
    assert said(tmp_path / "web.yaml") == ": the file is empty"


def test_a_file_that_asks_for_nothing_asks_for_nothing(tmp_path: Path) -> None:
    assert good(tmp_path, "{}") == WebConfig()
    text = "basic_auth_users: {}\nrate_limit: {interval: 0}\nhttp_server_config: {http2: false}"
    assert good(tmp_path, text) == WebConfig()


def test_headers_that_are_not_blank_are_set(tmp_path: Path) -> None:
    text = """
http_server_config:
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: ""
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 1; mode=block
    Strict-Transport-Security: max-age=31536000
"""
    assert dict(good(tmp_path, text).headers) == {
        b"content-security-policy": b"default-src 'self'",
        b"x-content-type-options": b"nosniff",
        b"x-xss-protection": b"1; mode=block",
        b"strict-transport-security": b"max-age=31536000",
    }


def test_users_are_known_by_name_and_their_hashes_are_not_shown(tmp_path: Path) -> None:
    found = good(tmp_path, f"basic_auth_users: {{alice: {HASH}, 'bob 2': {HASH}}}")
    assert found.users == {"alice": HASH, "bob 2": HASH}
    assert "$" not in repr(found)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("300ms", 0.3),
        ("1m30s", 90),
        ("1.5h", 5400),
    ],
)
def test_an_interval_is_a_duration_as_go_writes_it(
    tmp_path: Path, text: str, seconds: float
) -> None:
    found = good(tmp_path, f"rate_limit: {{interval: {text}, burst: 20}}")
    assert found.rate == pytest.approx(Rate(seconds, 20))


def tls_section(**keys: str) -> str:
    """A `tls_server_config` of these keys, each a text."""
    lines = ["tls_server_config:"]
    for key, text in keys.items():
        lines += [f"  {key}: |", *(f"    {line}" for line in text.splitlines())]
    return "\n".join(lines) + "\n"


def refused(folder: Path, text: str) -> str:
    path = folder / "web.yaml"
    path.write_text(text)
    return said(path).partition(": ")[2]


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    text = tls_section(cert=HERE.cert, key=certificate("there").key)
    assert refused(tmp_path, text) == "tls_server_config.key: is not the certificate's key"


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    hidden = certificate("hidden", passphrase="long enough")
    assert refused(tmp_path, tls_section(cert=hidden.cert, key=hidden.key)) == (
        "tls_server_config.key: is encrypted; it is needed without a passphrase"
    )


@pytest.mark.parametrize("authorities", ["no PEM", "é", ""])
def test_authorities_that_are_none_are_refused(tmp_path: Path, authorities: str) -> None:
    (tmp_path / "ca.pem").write_text(authorities)
    text = tls_section(cert=HERE.cert, key=HERE.key)
    text += "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    assert refused(tmp_path, text) == "tls_server_config.client_ca_file: no certificates in PEM"


def test_files_are_found_from_the_folder_of_the_one_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(HERE.cert)
    (tmp_path / "key.pem").write_text(HERE.key)
    assert good(tmp_path, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}").tls
