"""Commands that serve or print, run as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from exporter_process import (
    MODULE,
    affinda_target,
    answered,
    configuration,
    environment,
    running,
    until,
    values,
)

from exporter.app import load_config
from exporter.metrics.catalogue import ANOMALIES, METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner


@pytest.mark.e2e
def test_every_flag_of_serve_can_be_a_variable(tmp_path: Path, base_url: str) -> None:
    (tmp_path / "config.yaml").write_text(configuration(affinda_target(base_url)))
    environ = {
        "DOCUSAGE_CONFIG_FILE": str(tmp_path / "config.yaml"),
        "DOCUSAGE_LOG_FORMAT": "json",
        "DOCUSAGE_LOG_LEVEL": "debug",
        "DOCUSAGE_WEB_EXTERNAL_URL": "https://example.com/ignored/for/the/prefix",
        "DOCUSAGE_WEB_LISTEN_ADDRESS": "127.0.0.1:0,[::1]:0",
        "DOCUSAGE_WEB_ROUTE_PREFIX": "usage/",
        "DOCUSAGE_WEB_TELEMETRY_PATH": "numbers",
    }
    with running(tmp_path, environ=environ) as program:
        until(lambda: '"poll succeeded"' in program.log.read_text())
        lines = [json.loads(line) for line in program.log.read_text().splitlines()]
        first, second = (line["url"] for line in lines if line["msg"] == "serving")
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/usage", first)
        assert re.fullmatch(r"http://\[::1\]:[0-9]+/usage", second)
        ready = urllib.request.Request(f"{first}/-/ready")  # noqa: S310  our own URL
        until(lambda: answered(ready).status == 200)
        for url in (first, second):
            page = answered(urllib.request.Request(f"{url}/numbers"))  # noqa: S310  our own URL
            assert values(page.text)["docusage_target_up acme-a affinda"] == 1


@pytest.mark.e2e
def test_the_prefix_is_the_path_of_the_external_url(tmp_path: Path, base_url: str) -> None:
    (tmp_path / "config.yaml").write_text(configuration(affinda_target(base_url)))
    flags = ("--web.external-url=https://example.com/usage/", "--web.listen-address=127.0.0.1:0")
    with running(tmp_path, f"--config.file={tmp_path}/config.yaml", *flags) as program:
        assert program.url.endswith("/usage")
        assert program.ask("/-/healthy").status == 200


@pytest.mark.e2e
def test_a_closed_pipe_is_not_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    schema = subprocess.run(  # noqa: S603  our own program
        [*MODULE, "schema"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=True,
        env=environment(),
        timeout=20,
    )
    os.close(writer)
    assert schema.stderr == b""


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_prints_urls_writes_its_configuration_and_exits_with_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    keep = tmp_path / "demo.yaml"
    flags = ("--web.listen-address=127.0.0.1:0", f"--keep-config={keep}")
    with running(tmp_path, "demo", *flags) as demo:
        url = demo.url
        output = demo.output.read_text()
        for name, path in [("status page", "/"), ("metrics", "/metrics")]:
            assert re.search(rf"^  {name} +{url}{path}$", output, re.MULTILINE)
            assert demo.ask(path).status == 200
        assert re.search(rf"^  configuration +{keep}$", output, re.MULTILINE)
        assert len(load_config(keep, {}).targets) == 6
        assert demo.ended_by(number) == 0


@pytest.mark.e2e
def test_the_demo_shows_every_metric_but_those_of_anomalies_and_other_resources(
    tmp_path: Path,
) -> None:
    with running(tmp_path, "demo", "--web.listen-address=127.0.0.1:0") as demo:
        until(lambda: demo.ask("/-/ready").status == 200)
        shown = {name.partition(" ")[0] for name in demo.values()}
        assert {metric.name for metric in METRICS} - shown == {
            *(ANOMALIES.name, "docusage_target_scopes_failing"),
            *(f"xtracta_resource_{figure}" for figure in ("allowed", "used", "available")),
        }
        assert re.search(
            rf"^  configuration +{demo.url}/config$", demo.output.read_text(), re.MULTILINE
        )
        assert demo.ended_by(signal.SIGTERM) == 0


def test_a_file_that_cannot_be_written_is_reported(run_cli: CliRunner, tmp_path: Path) -> None:
    keep = tmp_path / "none" / "demo.yaml"
    result = run_cli("demo", "--web.listen-address=127.0.0.1:0", f"--keep-config={keep}")
    assert result == (1, "", f"[Errno 2] No such file or directory: '{keep}'\n")


@pytest.mark.e2e
def test_serve_reads_a_pipe_and_refuses_to_reload_it(tmp_path: Path, base_url: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=(configuration(affinda_target(base_url)),))
    writer.start()
    with running(tmp_path, f"--config.file={pipe}", "--web.listen-address=127.0.0.1:0") as program:
        writer.join()
        assert program.values()["docusage_target_interval_seconds acme-a affinda"] == 3600
        answer = program.ask("/-/reload", "POST")
        assert (answer.status, answer.text) == (
            500,
            f"{pipe}: cannot be read: Not a regular file\n",
        )
        assert program.ended_by(signal.SIGTERM) == 0


@pytest.mark.e2e
def test_a_target_is_polled_once_its_missing_key_appears(tmp_path: Path, base_url: str) -> None:
    path = tmp_path / "config.yaml"
    keyless = affinda_target(base_url, "keyless").replace("api_key: made", "api_key_file: made")
    path.write_text(configuration(affinda_target(base_url), keyless))
    with running(tmp_path, f"--config.file={path}", "--web.listen-address=127.0.0.1:0") as program:
        until(lambda: program.values().get("docusage_target_up keyless affinda") == 0)
        until(lambda: program.values().get("docusage_target_up acme-a affinda") == 1)
        assert program.values()["docusage_target_failing keyless affinda secret"] == 1
        (tmp_path / "made-up-key-a").write_text("made-up-key-a\n")
        until(lambda: program.values().get("docusage_target_up keyless affinda") == 1)
        assert program.ended_by(signal.SIGTERM) == 0
