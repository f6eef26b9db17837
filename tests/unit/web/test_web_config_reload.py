"""A web configuration that changes while the exporter runs: followed, or closed."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import bcrypt
import pytest
from raw_http_client import LAST_GET, status_code
from self_signed import certificate
from web_server import running_web_server

from exporter.config.errors import ConfigError
from exporter.web.web_config.loader import LiveWebConfig

if TYPE_CHECKING:
    from pathlib import Path

HERE = certificate("here")


def hash_of(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


ALICE = f"basic_auth_users: {{alice: {hash_of('a')}}}\n"
BOB = f"basic_auth_users: {{bob: {hash_of('b')}}}\n"
TLS = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"


def asks(web: LiveWebConfig, login: str = "alice:a") -> int:
    """The status that a client with this login gets; 0 for no answer."""
    word = base64.b64encode(login.encode())
    raw = LAST_GET.replace(b"close", b"close\r\nauthorization: Basic " + word)

    async def main() -> int:
        async with running_web_server(web.current) as here:
            return status_code(await here.send(raw))

    return asyncio.run(main())


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yaml"
    path.write_text(text)
    return path


def test_a_bad_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key"):
        LiveWebConfig(write(tmp_path, "basic_auth_user: {}"))


def test_users_come_and_go_with_the_file(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, ALICE))
    assert [asks(web, "alice:a"), asks(web, "bob:b")] == [200, 401]
    write(tmp_path, BOB)
    assert [asks(web, "alice:a"), asks(web, "bob:b")] == [401, 200]


def test_a_connection_that_was_let_in_does_not_outlive_its_user(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, ALICE))
    word = base64.b64encode(b"alice:a")
    raw = b"GET / HTTP/1.1\r\nauthorization: Basic " + word + b"\r\n\r\n"

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
def test_a_file_that_breaks_lets_nobody_in_until_it_is_mended(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "exporter.web.web_config.loader")
    web = LiveWebConfig(write(tmp_path, ALICE))
    write(tmp_path, text)
    assert [asks(web), asks(web)] == [0, 0]
    write(tmp_path, ALICE)
    assert asks(web) == 200
    assert [record.message for record in caplog.records] == [
        "web configuration broken; nobody is let in",
        "web configuration reloaded",
    ]
    assert "web.yaml" in vars(caplog.records[0])["detail"]


def test_who_is_connected_already_is_told_that_the_file_is_broken(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, "{}"))

    async def main() -> None:
        async with running_web_server(web.current) as here, here.client() as client:
            client.write(b"GET / HTTP/1.1\r\n\r\n")
            await client.read_until(b"GET /\n")
            write(tmp_path, "broken")
            client.write(LAST_GET)
            reply = await client.read_all()
            assert status_code(reply) == 503
            assert reply.endswith(b"The web configuration is broken; the log says how.\n")

    asyncio.run(main())


def test_a_file_that_is_gone_lets_nobody_in(tmp_path: Path) -> None:
    path = write(tmp_path, ALICE)
    web = LiveWebConfig(path)
    path.unlink()
    assert asks(web) == 0


@pytest.mark.parametrize(("first", "then"), [(TLS, "{}"), ("{}", TLS)], ids=["removed", "added"])
def test_tls_is_neither_dropped_nor_added_while_the_exporter_runs(
    tmp_path: Path, first: str, then: str
) -> None:
    (tmp_path / "cert.pem").write_text(HERE.cert)
    (tmp_path / "key.pem").write_text(HERE.key)
    web = LiveWebConfig(write(tmp_path, first))
    write(tmp_path, then)
    with pytest.raises(ConfigError, match="cannot be added or removed without a restart"):
        web.current()
    write(tmp_path, first)
    assert web.current().users == {}


def test_a_broken_file_that_is_asked_about_again_and_again_costs_no_memory(tmp_path: Path) -> None:
    web = LiveWebConfig(write(tmp_path, "{}"))
    write(tmp_path, "broken")
    depths = set()
    for _ in range(3):
        with pytest.raises(ConfigError) as caught:
            web.current()
        depths.add(len(caught.traceback))
    assert depths == {2}
