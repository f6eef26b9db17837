"""Reloading the web configuration: changes apply, invalid files reject all requests."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import bcrypt
import pytest
from raw_http_client import LAST_GET, status_code
from self_signed import certificate, client_context
from web_server import running_web_server

from exporter.config.errors import ConfigError
from exporter.web.web_config.loader import LiveWebConfig
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    from pathlib import Path

SERVER = certificate("server")


def hash_of(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


ALICE = f"basic_auth_users: {{alice: {hash_of('a')}}}\n"
BOB = f"basic_auth_users: {{bob: {hash_of('b')}}}\n"
TLS = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"


def status(web: LiveWebConfig, login: str = "alice:a") -> int:
    """The status of a response to a request with this login; 0 without a response."""
    credentials = base64.b64encode(login.encode())
    raw = LAST_GET.replace(b"close", b"close\r\nauthorization: Basic " + credentials)

    async def main() -> int:
        async with running_web_server(web.current) as here:
            return status_code(await here.send(raw))

    return asyncio.run(main())


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yaml"
    path.write_text(text)
    return path


def test_an_invalid_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key"):
        LiveWebConfig(write(tmp_path, "basic_auth_user: {}"))


def test_changed_users_apply_to_the_next_request(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, ALICE))
    assert [status(web, "alice:a"), status(web, "bob:b")] == [200, 401]
    write(tmp_path, BOB)
    assert [status(web, "alice:a"), status(web, "bob:b")] == [401, 200]


def test_a_removed_user_is_rejected_on_an_open_connection(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, ALICE))
    credentials = base64.b64encode(b"alice:a")
    raw = b"GET / HTTP/1.1\r\nauthorization: Basic " + credentials + b"\r\n\r\n"

    async def main() -> None:
        async with running_web_server(web.current) as here, here.client() as client:
            client.write(raw)
            assert b" 200 " in await client.read_until(b"\r\n")
            await client.read_until(b"GET /\n")
            write(tmp_path, BOB)
            client.write(raw)
            assert b" 401 " in await client.read_until(b"\r\n")

    asyncio.run(main())


@pytest.mark.parametrize("text", ["", "basic_auth_user: {}", "basic_auth_users:", "a: ["])
def test_an_invalid_file_rejects_all_requests_until_it_is_corrected(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "exporter.web.web_config.loader")
    web = LiveWebConfig(write(tmp_path, ALICE))
    write(tmp_path, text)
    assert [status(web), status(web)] == [500, 500]
    write(tmp_path, ALICE)
    assert status(web) == 200
    assert [record.message for record in caplog.records] == [
        "invalid web configuration; rejecting requests",
        "web configuration reloaded",
    ]
    assert "web.yaml" in vars(caplog.records[0])["detail"]


def test_the_response_while_the_file_is_invalid_states_the_reason(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, "{}"))

    async def main() -> None:
        async with running_web_server(web.current) as here, here.client() as client:
            client.write(b"GET / HTTP/1.1\r\n\r\n")
            await client.read_until(b"GET /\n")
            write(tmp_path, "invalid")
            client.write(LAST_GET)
            response = await client.read_all()
            assert status_code(response) == 500
            assert response.endswith(b"Invalid web configuration; the log has the reason.\n")

    asyncio.run(main())


def test_a_removed_file_rejects_all_requests(tmp_path: Path) -> None:
    path = write(tmp_path, ALICE)
    web = LiveWebConfig(path)
    path.unlink()
    assert status(web) == 500


@pytest.mark.parametrize(("first", "then"), [(TLS, "{}"), ("{}", TLS)], ids=["removed", "added"])
def test_adding_or_removing_tls_needs_a_restart(tmp_path: Path, first: str, then: str) -> None:
    (tmp_path / "cert.pem").write_text(SERVER.cert)
    (tmp_path / "key.pem").write_text(SERVER.key)
    web = LiveWebConfig(write(tmp_path, first))
    write(tmp_path, then)
    with pytest.raises(ConfigError, match="cannot be added or removed without a restart"):
        web.current()
    write(tmp_path, first)
    assert web.current().users == {}


def test_an_error_that_is_raised_again_does_not_grow_its_traceback(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, "{}"))
    write(tmp_path, "invalid")
    depths = set()
    for _ in range(3):
        with pytest.raises(ConfigError) as caught:
            web.current()
        depths.add(len(caught.traceback))
    assert depths == {2}


def test_tls_connections_are_rejected_while_the_file_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(SERVER.cert)
    (tmp_path / "key.pem").write_text(SERVER.key)
    web = LiveWebConfig(write(tmp_path, TLS))

    async def main() -> None:
        async with running_web_server(web.current, has_tls=True) as here:
            assert status_code(await here.send(tls=client_context())) == 200
            write(tmp_path, "invalid")
            with pytest.raises(ConnectionError):
                await here.send(tls=client_context())
            assert await here.send() == b""

    asyncio.run(main())


@pytest.mark.parametrize(
    "text",
    [ALICE, "rate_limit: {interval: 1s, burst: 1}", "# empty\n", "{}"],
    ids=["users", "rate limit", "empty", "{}"],
)
def test_an_emptied_file_replaces_only_a_configuration_without_settings(
    tmp_path: Path, text: str
) -> None:
    web = LiveWebConfig(write(tmp_path, text))
    write(tmp_path, "")
    if text in {"# empty\n", "{}"}:
        assert web.current() == WebConfig()
    else:
        with pytest.raises(ConfigError, match="the file is empty; write"):
            web.current()
        write(tmp_path, "{}")
        assert web.current() == WebConfig()


def test_a_warning_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "http_server_config: {http2: true}\n"
    path = write(tmp_path, text)
    web = LiveWebConfig(path)
    write(tmp_path, text + ALICE)
    web.current()
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert record.message == "problem in the web configuration"
    assert vars(record)["detail"] == (
        f"{path}:1: http_server_config.…: HTTP/2 is not supported; HTTP/1.1 is served"
    )
