"""The flags for the web configuration and for automatic reload."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import bcrypt
import pytest
from exporter_process import affinda_target, configuration, running, until
from raw_http_client import LAST_GET, open_client, status_code
from self_signed import certificate, client_context

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner

CERTIFICATE = certificate("here")
LISTEN = "--web.listen-address=127.0.0.1:0"
LOGIN = LAST_GET.replace(b"close", b"close\r\nauthorization: Basic YWxpY2U6c2VjcmV0")


def web_file(folder: Path) -> Path:
    """TLS, and a user alice with the password secret."""
    (folder / "pair.pem").write_text(CERTIFICATE.cert + CERTIFICATE.key)
    tls = "tls_server_config: {cert_file: pair.pem, key_file: pair.pem}\n"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path = folder / "web.yaml"
    path.write_text(f"{tls}basic_auth_users: {{alice: {hashed}}}\n")
    return path


@pytest.mark.e2e
def test_tls_basic_auth_and_automatic_reload_work_together(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(configuration(affinda_target("http://127.0.0.1:9")))
    flags = (f"--web.config.file={web_file(tmp_path)}", "--config.enable-auto-reload", LISTEN)

    async def ask(port: int, raw: bytes) -> bytes:
        async with open_client(port, client_context()) as client:
            client.write(raw)
            return await client.read_all()

    with running(tmp_path, f"--config.file={config}", *flags) as program:
        url = urlsplit(program.url)
        assert url.scheme == "https"
        config.write_text(configuration(affinda_target("http://127.0.0.1:9", "other")))
        assert status_code(asyncio.run(ask(url.port or 0, LAST_GET))) == 401
        assert status_code(asyncio.run(ask(url.port or 0, LOGIN))) == 200
        until(lambda: 'msg="configuration reloaded" targets=1' in program.log.read_text())
        assert b">other<" in asyncio.run(ask(url.port or 0, LOGIN))
        assert program.ended_by(signal.SIGTERM) == 0


def test_an_invalid_web_configuration_is_reported_at_startup(
    run_cli: CliRunner, tmp_path: Path
) -> None:
    config, web = tmp_path / "config.yaml", tmp_path / "web.yaml"
    config.write_text(configuration(affinda_target("http://127.0.0.1:9")))
    web.write_text("basic_auth_user: {alice: x}\n")
    status, out, err = run_cli(f"--config.file={config}", f"--web.config.file={web}", LISTEN)
    assert (status, out) == (1, "")
    assert f"{web}:1: basic_auth_user: unknown key; did you mean" in err
