"""The probe as a command, asking simulated vendors."""

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

from exporter.demo.vendors import Reply, Request, Vendors

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner


def test_probe_prints_what_is_left_and_fails_if_a_target_does(
    said: CliRunner, probed: Path
) -> None:
    status, words, errors = said("probe", f"--config.file={probed}")
    assert (status, errors) == (1, "")
    lines = words.splitlines()
    assert lines[0].split()[:4] == ["TARGET", "ACCOUNT", "ALLOWANCE", "LEFT"]
    assert lines[1].startswith(
        "acme-a  Acme (mEFayXdO)  monthly credits   358      400 credits  90 "
    )
    assert lines[2].startswith(
        "acme-x  Head (481)       Yearly (7)        750  1,000 documents  75 "
    )
    assert lines[3] == "acme-refused: down: auth: HTTP status 401: Invalid token."


def test_probe_asks_the_named_targets_alone(said: CliRunner, probed: Path) -> None:
    status, words, _ = said("probe", f"--config.file={probed}", "acme-x")
    assert status == 0
    assert [line.split()[0] for line in words.splitlines()] == ["TARGET", "acme-x"]


def test_probe_writes_json(said: CliRunner, probed: Path) -> None:
    status, words, _ = said("probe", f"--config.file={probed}", "--format=json")
    assert status == 1
    targets = json.loads(words)["targets"]
    assert [(each["name"], each["up"]) for each in targets] == [
        ("acme-a", True),
        ("acme-x", True),
        ("acme-refused", False),
    ]
    assert targets[0]["allowances"][0]["available"] == 358
    assert targets[2]["last_error"]["reason"] == "auth"


def test_probe_writes_metrics(said: CliRunner, probed: Path) -> None:
    _, words, _ = said(
        "probe", f"--config.file={probed}", environ={"DOCUSAGE_FORMAT": "prometheus"}
    )
    assert words.endswith("\n")
    assert not words.endswith("\n\n")
    found = values(words)
    assert found["xtracta_documents_available acme-x 481 7"] == 750
    assert found["docusage_target_up acme-refused affinda"] == 0


def test_probe_leaves_metrics_in_a_file_and_prints_failures_alone(
    said: CliRunner, probed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "docusage.prom"
    told = said("probe", f"--config.file={probed}", f"--textfile={path}")
    assert told == (1, "", "acme-refused: down: auth: HTTP status 401: Invalid token.\n")
    assert values(path.read_text())["xtracta_documents_available acme-x 481 7"] == 750


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
def test_probe_shows_colours_on_a_terminal_that_wants_them(
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
    words = os.read(shown, 10_000).decode()
    os.close(shown)
    assert "acme-x" in words
    assert ("\x1b[" in words) is is_coloured


@pytest.mark.e2e
def test_probe_shows_no_colours_in_a_pipe(probed: Path) -> None:
    status, words, _ = done("probe", f"--config.file={probed}", "acme-x", TERM="xterm")
    assert status == 0
    assert "\x1b" not in words


class Interrupting(dict[str, str]):
    def get(self, *_: object) -> str:
        raise KeyboardInterrupt


def test_an_interrupted_command_ends_without_a_traceback(said: CliRunner) -> None:
    assert said("schema", environ=Interrupting(present="")) == (1, "", "")


@pytest.mark.e2e
def test_probe_is_interrupted_without_a_traceback(tmp_path: Path) -> None:
    asked = threading.Event()

    def hang(_: Request) -> Reply:
        asked.set()
        return Reply(delay=60)

    with served(Vendors(ACCOUNTS, hang)) as url:
        path = tmp_path / "config.yaml"
        path.write_text(configuration(affinda_target(url)))
        with running(tmp_path, "probe", f"--config.file={path}") as program:
            assert asked.wait(10)
            assert program.ended_by(signal.SIGINT) == 1
        assert program.log.read_text() == ""
