"""`docusage-exporter probe` with simulated vendors."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from exporter_process import (
    ACCOUNTS,
    MODULE,
    affinda_target,
    configuration,
    done,
    environment,
    running,
    served,
    values,
)

from exporter.demo.vendors import Request, SimulatedResponse, Vendors

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner


def test_probe_prints_a_table_and_fails_if_a_target_does(run_cli: CliRunner, probed: Path) -> None:
    status, output, errors = run_cli("probe", f"--config.file={probed}")
    assert (status, errors) == (1, "")
    lines = output.splitlines()
    assert lines[0].split()[:4] == ["TARGET", "ACCOUNT", "ALLOWANCE", "LEFT"]
    assert lines[1].startswith(
        "acme-a  Acme (mEFayXdO)  monthly credits   358      400 credits  90 "
    )
    assert lines[2].startswith(
        "acme-x  Head (481)       Yearly (7)        750  1,000 documents  75 "
    )
    assert lines[3] == "acme-refused: down: auth: HTTP status 401: Invalid token."


def test_probe_polls_only_the_named_targets(run_cli: CliRunner, probed: Path) -> None:
    status, output, _ = run_cli("probe", f"--config.file={probed}", "acme-x")
    assert status == 0
    assert [line.split()[0] for line in output.splitlines()] == ["TARGET", "acme-x"]


def test_probe_writes_json(run_cli: CliRunner, probed: Path) -> None:
    status, output, _ = run_cli("probe", f"--config.file={probed}", "--format=json")
    assert status == 1
    targets = json.loads(output)["targets"]
    assert [(each["name"], each["up"]) for each in targets] == [
        ("acme-a", True),
        ("acme-x", True),
        ("acme-refused", False),
    ]
    assert targets[0]["allowances"][0]["available"] == 358
    assert targets[2]["last_error"]["reason"] == "auth"


def test_probe_writes_metrics(run_cli: CliRunner, probed: Path) -> None:
    _, output, _ = run_cli(
        "probe", f"--config.file={probed}", environ={"DOCUSAGE_FORMAT": "prometheus"}
    )
    assert output.endswith("\n")
    assert not output.endswith("\n\n")
    found = values(output)
    assert found["xtracta_documents_available acme-x 481 7"] == 750
    assert found["docusage_target_up acme-refused affinda"] == 0


def test_probe_writes_a_textfile_and_prints_only_failures(
    run_cli: CliRunner, probed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "docusage.prom"
    result = run_cli("probe", f"--config.file={probed}", f"--textfile={path}")
    assert result == (1, "", "acme-refused: down: auth: HTTP status 401: Invalid token.\n")
    assert values(path.read_text())["xtracta_documents_available acme-x 481 7"] == 750


def test_probe_warns_of_a_textfile_that_node_exporter_ignores(
    run_cli: CliRunner, probed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "docusage.txt"
    _, _, errors = run_cli("probe", f"--config.file={probed}", f"--textfile={path}", "acme-x")
    assert errors == f"node_exporter ignores {path}: its name must end in .prom\n"
    assert path.exists()


@pytest.mark.e2e
@pytest.mark.parametrize("output_format", ["table", "json", "prometheus"])
def test_probe_prints_any_name_in_any_encoding(
    probed: Path, tmp_path: Path, output_format: str
) -> None:
    path = tmp_path / "umlaut.yaml"
    path.write_text(probed.read_text().replace("acme-x", "caf\u00e9"), encoding="utf-8")
    command = [*MODULE, "probe", f"--config.file={path}", f"--format={output_format}", "caf\u00e9"]
    ended = subprocess.run(  # noqa: S603  our own program
        command,
        capture_output=True,
        check=True,
        env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0"),
        timeout=20,
    )
    assert ended.stderr == b""
    name = b"caf\\xe9" if output_format == "table" else "caf\u00e9".encode()
    assert name in ended.stdout


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
    ids=["terminal", "NO_COLOR", "dumb terminal"],
)
def test_probe_uses_colours_on_a_terminal_unless_they_are_disabled(
    probed: Path, variables: dict[str, str], *, is_coloured: bool
) -> None:
    shown, terminal = pty.openpty()
    subprocess.run(  # noqa: S603  our own program
        [*MODULE, "probe", f"--config.file={probed}", "acme-x"],
        stdout=terminal,
        check=True,
        env=environment(**variables),
        timeout=20,
    )
    os.close(terminal)
    output = os.read(shown, 10_000).decode()
    os.close(shown)
    assert "acme-x" in output
    assert ("\x1b[" in output) is is_coloured


@pytest.mark.e2e
def test_probe_uses_no_colours_in_a_pipe(probed: Path) -> None:
    status, output, _ = done("probe", f"--config.file={probed}", "acme-x", TERM="xterm")
    assert status == 0
    assert "\x1b" not in output


class Interrupting(dict[str, str]):
    def get(self, *_: object) -> str:
        raise KeyboardInterrupt


def test_an_interrupted_command_ends_without_a_traceback(run_cli: CliRunner) -> None:
    assert run_cli("schema", environ=Interrupting(present="")) == (1, "", "")


@pytest.mark.e2e
def test_an_interrupted_probe_ends_without_a_traceback(tmp_path: Path) -> None:
    asked = threading.Event()

    def hang(_: Request) -> SimulatedResponse:
        asked.set()
        return SimulatedResponse(delay=60)

    with served(Vendors(ACCOUNTS, hang)) as url:
        path = tmp_path / "config.yaml"
        path.write_text(configuration(affinda_target(url)))
        with running(tmp_path, "probe", f"--config.file={path}") as program:
            assert asked.wait(10)
            assert program.ended_by(signal.SIGINT) == 1
        assert program.log.read_text() == ""
