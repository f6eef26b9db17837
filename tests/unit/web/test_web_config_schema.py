"""Loading web configuration files: their settings, warnings and errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from self_signed import certificate

from exporter.config.errors import ConfigError, Problem
from exporter.web.web_config.loader import load_web_config
from exporter.web.web_config.models import RateLimit, WebConfig
from exporter.web.web_config.schema import SourceFiles

INVALID = Path(__file__).parent.parent.parent / "data" / "webconfig"
SERVER = certificate("server")
HASH = "$2y$04$6HRb6wc3J0iGM33ORonT8OdEWLQEPCvIlJ5GmJxHPFM07yO/jo0Sm"


def error(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_web_config(path, SourceFiles(path.parent))
    return str(caught.value).replace(str(path), "")


def loaded(folder: Path, text: str) -> tuple[WebConfig, list[Problem]]:
    path = folder / "web.yaml"
    path.write_text(text)
    return load_web_config(path, SourceFiles(folder))


def valid(folder: Path, text: str) -> WebConfig:
    return loaded(folder, text)[0]


def warnings(folder: Path, text: str) -> list[str]:
    return [problem.describe("") for problem in loaded(folder, text)[1]]


@pytest.mark.parametrize("path", sorted(INVALID.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_invalid_file_is_refused_with_the_errors_at_its_top(path: Path) -> None:
    expected = [f":{line[3:]}" for line in path.read_text().splitlines() if line.startswith("#> ")]
    assert error(path).splitlines() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", ":2: unterminated list or mapping in brackets"),
        (b"\xff", ":1: not UTF-8"),
        (b"#" * (2**20 + 1), ": is larger than 1048576 bytes"),
    ],
    ids=["truncated", "binary", "huge"],
)
def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "web.yaml"
    path.write_bytes(content)
    assert error(path) == message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert error(tmp_path / "none.yaml") == ": cannot be read: No such file or directory"


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web.yaml")
    assert error(tmp_path / "web.yaml") == ": cannot be read: Not a regular file"


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing yet\n  # to configure\n"])
def test_an_empty_file_is_accepted_with_a_warning(tmp_path: Path, text: str) -> None:
    assert valid(tmp_path, text) == WebConfig()
    assert warnings(tmp_path, text) == [
        "the file is empty; requests need neither TLS nor a password"
    ]


def test_a_file_without_settings_is_accepted_without_a_warning(tmp_path: Path) -> None:
    assert valid(tmp_path, "{}") == WebConfig()
    text = "basic_auth_users: {}\nrate_limit: {interval: 0}\nhttp_server_config: {http2: false}"
    assert valid(tmp_path, text) == WebConfig()
    assert warnings(tmp_path, "{}") == warnings(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "http_server_config:\n  http2: true",
            ":2: http_server_config.…: HTTP/2 is not supported; HTTP/1.1 is served",
        ),
        (
            "rate_limit: {interval: 1s}",
            ":1: rate_limit: all requests are rejected; set burst to at least 1",
        ),
    ],
)
def test_an_option_of_the_official_exporters_without_its_usual_effect_is_a_warning(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert warnings(tmp_path, text) == [expected]


def test_several_curves_are_a_warning(tmp_path: Path) -> None:
    text = tls_section(cert=SERVER.cert, key=SERVER.key)
    line = len(text.splitlines()) + 1
    message = "Python can set one curve; the first that OpenSSL supports is used"
    assert warnings(tmp_path, f"{text}  curve_preferences: [CurveP256]\n") == []
    assert warnings(tmp_path, f"{text}  curve_preferences: [CurveP256, CurveP384]\n") == [
        f":{line}: tls_server_config.curve_preferences: {message}"
    ]


def test_a_rate_limit_without_a_burst_has_the_burst_0(tmp_path: Path) -> None:
    assert valid(tmp_path, "rate_limit: {interval: 1s}").rate_limit == RateLimit(1, 0)


def test_headers_with_a_value_are_set(tmp_path: Path) -> None:
    text = """
http_server_config:
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: ""
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 1; mode=block
    Strict-Transport-Security: max-age=31536000
"""
    assert dict(valid(tmp_path, text).headers) == {
        b"content-security-policy": b"default-src 'self'",
        b"x-content-type-options": b"nosniff",
        b"x-xss-protection": b"1; mode=block",
        b"strict-transport-security": b"max-age=31536000",
    }


def test_header_values_may_be_numbers(tmp_path: Path) -> None:
    text = "http_server_config: {headers: {X-XSS-Protection: 0, Content-Security-Policy: 1.5}}"
    assert dict(valid(tmp_path, text).headers) == {
        b"x-xss-protection": b"0",
        b"content-security-policy": b"1.5",
    }


def test_hashes_of_users_are_not_in_the_repr(tmp_path: Path) -> None:
    config = valid(tmp_path, f"basic_auth_users: {{alice: {HASH}, 'bob 2': {HASH}}}")
    assert config.users == {"alice": HASH, "bob 2": HASH}
    assert "$" not in repr(config)


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
    config = valid(tmp_path, f"rate_limit: {{interval: {text}, burst: 20}}")
    assert config.rate_limit == pytest.approx(RateLimit(seconds, 20))


def tls_section(**keys: str) -> str:
    """A `tls_server_config` with these keys."""
    lines = ["tls_server_config:"]
    for key, text in keys.items():
        lines += [f"  {key}: |", *(f"    {line}" for line in text.splitlines())]
    return "\n".join(lines) + "\n"


def error_of(folder: Path, text: str) -> str:
    path = folder / "web.yaml"
    path.write_text(text)
    return error(path).partition(": ")[2]


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    text = tls_section(cert=SERVER.cert, key=certificate("there").key)
    assert error_of(tmp_path, text) == "tls_server_config.key: does not belong to the certificate"


def test_a_key_with_a_passphrase_is_refused_without_a_prompt(tmp_path: Path) -> None:
    hidden = certificate("hidden", passphrase="long enough")
    assert error_of(tmp_path, tls_section(cert=hidden.cert, key=hidden.key)) == (
        "tls_server_config.key: is encrypted; expected a key without a passphrase"
    )


@pytest.mark.parametrize("client_ca", ["no PEM", "é", ""])
def test_invalid_authorities_are_refused(tmp_path: Path, client_ca: str) -> None:
    (tmp_path / "ca.pem").write_text(client_ca)
    text = tls_section(cert=SERVER.cert, key=SERVER.key)
    text += "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    assert (
        error_of(tmp_path, text) == "tls_server_config.client_ca_file: expected certificates in PEM"
    )


def test_relative_paths_start_at_the_directory_of_the_web_configuration(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(SERVER.cert)
    (tmp_path / "key.pem").write_text(SERVER.key)
    assert valid(tmp_path, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}").tls
