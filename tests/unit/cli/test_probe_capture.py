"""`probe --capture`, `--anonymize` and `--replay`, with simulated vendors."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from exporter_process import ACCOUNTS, affinda_target, configuration, served, xtracta_target

from exporter.cli import recording
from exporter.demo.vendors import SimulatedResponse, Vendors
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner

    from exporter.demo.vendors import Request

REFUSED = (
    "does not declare which fields identify; capture without --anonymize, or name other targets\n"
)


@pytest.fixture
def capture(run_cli: CliRunner, probed: Path, tmp_path: Path) -> Path:
    """A capture of two targets that succeed and one whose key is rejected."""
    path = tmp_path / "capture"
    assert run_cli("probe", f"--config.file={probed}", f"--capture={path}")[0] == 1
    return path


@pytest.mark.parametrize("output_format", ["table", "json", "prometheus"])
def test_a_replay_prints_what_the_live_probe_printed(
    run_cli: CliRunner, probed: Path, tmp_path: Path, vendors: Vendors, output_format: str
) -> None:
    flag = f"--format={output_format}"
    live = run_cli("probe", f"--config.file={probed}", flag, f"--capture={tmp_path / 'capture'}")
    vendors.log.clear()
    probed.unlink()
    (tmp_path / "capture").rename(tmp_path / "moved")
    assert run_cli("probe", f"--replay={tmp_path / 'moved'}", flag) == (live[0], live[1], "")
    assert list(vendors.log) == []
    assert "acme-refused" in live[1]


def test_failures_on_the_wire_are_replayed(run_cli: CliRunner, tmp_path: Path) -> None:
    def answer(request: Request) -> SimulatedResponse | None:
        return SimulatedResponse(delay=60) if request.path == "/v3/usage" else None

    # A port that is bound but not listened on refuses connections, and nobody else gets it.
    with served(Vendors(ACCOUNTS, answer)) as url, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        path = tmp_path / "config.yaml"
        path.write_text(
            configuration(
                affinda_target(url, "hangs") + "    poll: {timeout: 300ms}\n",
                affinda_target(f"http://127.0.0.1:{closed}", "refused"),
                affinda_target(url.replace("http:", "https:"), "no-tls"),
                affinda_target("http://nowhere.invalid", "no-name"),
                affinda_target(url, "no-key").replace(
                    "api_key: made-up-key-a", "api_key_env: NONE"
                ),
                xtracta_target(url),
            )
        )
        live = run_cli("probe", f"--config.file={path}", f"--capture={tmp_path / 'capture'}")
    assert live[0] == 1
    reasons = [line.split(": ")[2] for line in live[1].splitlines()[2:]]
    assert reasons == ["timeout", "connect", "tls", "dns", "secret"]
    replay = run_cli("probe", f"--replay={tmp_path / 'capture'}")
    assert replay == (1, live[1], "")


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_polled(
    run_cli: CliRunner, probed: Path, capture: Path, vendors: Vendors
) -> None:
    vendors.log.clear()
    result = run_cli("probe", f"--config.file={probed}", f"--capture={capture}")
    assert result == (1, "", f"{capture} is not an empty folder; choose another one\n")
    assert list(vendors.log) == []


def test_the_command_ends_with_what_it_wrote_and_what_to_read(
    run_cli: CliRunner, probed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "capture"
    _, _, errors = run_cli("probe", f"--config.file={probed}", f"--capture={path}")
    assert (
        errors
        == f"""\
{path}: a capture of 6 requests; only you can read the files.
Removed: keys, cookies and authorization headers.
Not replaced: identifiers, names and hosts. For a copy to share, run: \
docusage-exporter probe --replay={path} --capture={path}-anonymous --anonymize
Figures, dates and prices are as they were. Before you share it, read it, first of all:
  {path}/manifest.json
Replay it: docusage-exporter probe --replay={path}
"""
    )


def test_an_anonymous_capture_has_stand_ins_and_the_same_figures(
    run_cli: CliRunner, capture: Path, tmp_path: Path
) -> None:
    path = tmp_path / "anonymous"
    flags = (f"--replay={capture}", f"--capture={path}", "--anonymize")
    _, _, errors = run_cli("probe", *flags)
    assert (
        errors
        == f"""\
{path}: a capture of 6 requests; only you can read the files.
Removed: keys, cookies and authorization headers.
Replaced by stand-ins: identifiers, names, hosts, and texts of unknown fields.
Figures, dates and prices are as they were. Before you share it, read it, first of all:
  {path}/manifest.json
  the text "Invalid token."
  the text "The request has been successfully processed"
Replay it: docusage-exporter probe --replay={path}
"""
    )
    everything = "\n".join(
        f"{file.relative_to(path)}\n{file.read_text(encoding='utf-8')}"
        for file in path.rglob("*.*")
    )
    assert "id-1" in everything
    for known in ("mEFayXdO", "acme", "Acme", "Head", "Yearly", "127.0.0.1", "made-up-key"):
        assert known not in everything
    assert not re.search(r"(?<![\d.])481\b", everything)  # a duration may have the digits
    status, output, errors = run_cli("probe", f"--replay={path}")
    assert (status, errors) == (1, "")
    lines = output.splitlines()
    assert lines[1].startswith(
        "target-1  name-1 (id-1)  monthly credits   358      400 credits  90"
    )
    assert lines[2].startswith(
        "target-2  name-2 (1001)  name-3 (1002)     750  1,000 documents  75"
    )
    assert lines[3] == "target-3: down: auth: HTTP status 401: Invalid token."


def test_a_response_that_has_no_fields_is_named_for_reading(
    run_cli: CliRunner, tmp_path: Path
) -> None:
    page = b"<html>Blocked: 198.51.100.7, ask jane@acme.example about mEFayXdO</html>"
    with served(Vendors(ACCOUNTS, lambda _: SimulatedResponse(403, {}, page))) as url:
        path = tmp_path / "config.yaml"
        path.write_text(configuration(affinda_target(url)))
        flags = (f"--capture={tmp_path / 'capture'}", "--anonymize")
        _, _, errors = run_cli("probe", f"--config.file={path}", *flags)
    shown = "<html>Blocked: 192.0.2.1, ask somebody@host.example about id-1</html>"
    file = tmp_path / "capture" / "01-target-1" / "001.response.html"
    assert file.read_text() == shown
    assert f'  {file}\n  the text "{shown}"\n' in errors


def test_a_vendor_that_does_not_declare_its_fields_cannot_be_anonymized(
    run_cli: CliRunner, probed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors = {**VENDORS, "xtracta": VENDORS["xtracta"]._replace(fields=None)}
    monkeypatch.setattr(recording, "VENDORS", vendors)
    flags = (f"--config.file={probed}", f"--capture={tmp_path / 'capture'}", "--anonymize")
    assert run_cli("probe", *flags) == (
        1,
        "",
        f"target acme-x: the vendor xtracta {REFUSED}",
    )
    assert not (tmp_path / "capture").exists()
    assert run_cli("probe", *flags, "acme-a")[0] == 0


def test_anonymize_needs_a_folder(run_cli: CliRunner, probed: Path) -> None:
    status, _, errors = run_cli("probe", f"--config.file={probed}", "--anonymize")
    assert status == 2
    assert errors.endswith("error: --anonymize needs --capture=DIR\n")


def test_a_replay_may_be_of_some_targets(run_cli: CliRunner, capture: Path) -> None:
    status, output, _ = run_cli("probe", f"--replay={capture}", "acme-x")
    assert status == 0
    assert [line.split()[0] for line in output.splitlines()] == ["TARGET", "acme-x"]
    status, _, errors = run_cli("probe", f"--replay={capture}", "acme-y")
    assert (status, errors.splitlines()[-1].split(": ")[1:]) == (
        2,
        ["error", "unknown target", "acme-y"],
    )


def test_a_replay_reports_requests_that_are_no_longer_made(
    run_cli: CliRunner, capture: Path
) -> None:
    exchange = capture / "01-acme-a" / "001.json"
    exchange.write_text(exchange.read_text().replace("organization=mEFayXdO", "organization=other"))
    status, output, errors = run_cli("probe", f"--replay={capture}", "acme-a")
    assert status == 1
    assert "acme-a: down: connect: the capture has no such request" in output
    assert errors == "acme-a: recorded requests that were not made: 2\n"


def test_what_is_no_capture_is_reported(run_cli: CliRunner, tmp_path: Path) -> None:
    message = f"{tmp_path}/manifest.json: missing: the capture is incomplete\n"
    assert run_cli("probe", f"--replay={tmp_path}") == (1, "", message)
