"""The systemd unit, and what the exporter tells systemd."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from programs import program

from exporter.systemd import notify, notify_reloading

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = Path(__file__).parent.parent.parent / "deploy" / "systemd" / "docusage-exporter.service"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


def test_a_message_reaches_who_asked_for_it(manager: socket.socket) -> None:
    notify({"NOTIFY_SOCKET": manager.getsockname()}, "READY=1", "STATUS=well")
    assert manager.recv(4096) == b"READY=1\nSTATUS=well"


def test_a_reload_begins_at_a_moment_that_systemd_can_compare(manager: socket.socket) -> None:
    notify_reloading({"NOTIFY_SOCKET": manager.getsockname()})
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=[0-9]+", manager.recv(4096))


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel chooses an abstract name
        name = listening.getsockname()[1:].decode()
        notify({"NOTIFY_SOCKET": f"@{name}"}, "READY=1")
        assert listening.recv(4096) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere"}])
def test_nobody_who_listens_is_no_harm(environ: dict[str, str]) -> None:
    notify(environ, "READY=1")


CONFIG = """
targets:
  - {name: acme, vendor: affinda, base_url: "http://127.0.0.1:9", organization: o, api_key: made-up}
"""


@pytest.mark.e2e
def test_the_program_tells_when_it_is_ready_reloading_and_stopping(
    manager: socket.socket, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    flags = [f"--config.file={config}", "--web.listen-address=127.0.0.1:0"]
    process = subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", "exporter", *flags],
        env={**os.environ, "NOTIFY_SOCKET": manager.getsockname()},
    )
    try:
        assert manager.recv(4096) == b"READY=1"
        process.send_signal(signal.SIGHUP)
        assert manager.recv(4096).startswith(b"RELOADING=1\n")
        assert manager.recv(4096) == b"READY=1"
        config.write_text("nonsense: true", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        assert manager.recv(4096).startswith(b"RELOADING=1\n")
        assert manager.recv(4096) == b"READY=1"  # with the old configuration
    finally:
        process.terminate()
        status = process.wait(10)
    assert manager.recv(4096) == b"STOPPING=1"
    assert status == 0


def analyzed(verb: str, *more: str | Path) -> str:
    """What systemd's own analysis says; fails where that complains."""
    command = [program("systemd-analyze"), verb, *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  as above
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.e2e
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    # The command must exist where the unit is verified.
    here.write_text(
        re.sub("^ExecStart=[^ ]+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
    )
    assert analyzed("verify", "--man=no", here) == ""


@pytest.mark.e2e
def test_the_unit_gives_the_service_little_to_abuse() -> None:
    # In tenths, from 0 (nothing) to 100; a unit that says nothing of it has 96, this one 11.
    assert analyzed("security", "--no-pager", "--offline=true", "--threshold=11", UNIT)


def test_the_unit_reloads_by_signal_and_takes_keys_from_systemd() -> None:
    settings = dict(
        line.split("=", 1) for line in UNIT.read_text(encoding="utf-8").splitlines() if "=" in line
    )
    assert settings["Type"] == "notify"
    assert settings["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert settings["LoadCredential"] == "keys:/etc/docusage-exporter/keys"
    assert settings["Environment"] == "DOCUSAGE_CONFIG_FILE=/etc/docusage-exporter/config.yaml"
