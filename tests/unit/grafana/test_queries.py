from __future__ import annotations

import asyncio
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING

import httpx
import pytest
from dashboards import every_panel, expanded
from demo_history import History
from programs import free_port, is_listening, output, program

from exporter.model import FailureReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

END = datetime(2026, 11, 19, 15, tzinfo=UTC)
STEP = timedelta(hours=6)
STEPS = 64  # sixteen days
DAYS = {"__rate_interval": "1d", "__interval": "1d", "__range": "3d"}


def fault(target: str, moment: datetime) -> FailureReason | None:
    """An hour without one vendor, two weeks ago."""
    return FailureReason.TIMEOUT if (target, moment) == ("acme-pacific", END - 60 * STEP) else None


@pytest.fixture
def past() -> str:
    history = History(END, STEP, fault)
    return asyncio.run(history.run(END - number * STEP for number in range(STEPS, -1, -1)))


@contextmanager
def prometheus(folder: Path, samples: str) -> Iterator[httpx.Client]:
    """A Prometheus that remembers `samples` and scrapes nothing."""
    (folder / "past.om").write_text(samples)
    block = "--max-block-duration=960h"
    output(
        *("promtool", "tsdb", "create-blocks-from", "openmetrics", block),
        *(folder / "past.om", folder / "data"),
    )
    (folder / "prometheus.yml").write_text("")
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=100y",
        "--query.lookback-delta=7h",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:  # noqa: S603  ours
        try:
            until(lambda: is_listening(port))
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
                until(lambda: http.get("/-/ready").is_success)
                yield http
        finally:
            process.terminate()


def until(wanted: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not wanted():
        assert monotonic() < deadline
        sleep(0.1)


def answer(http: httpx.Client, question: str, *, is_range: bool) -> list[object]:
    """What Prometheus finds at the end of the past, or over its last days."""
    path, end = "/api/v1/query", END.timestamp()
    asked: dict[str, str | float] = {"query": question, "time": end}
    if is_range:
        path = "/api/v1/query_range"
        asked = {"query": question, "start": end - 3 * 86400, "end": end, "step": "1d"}
    response = http.post(path, data={key: str(value) for key, value in asked.items()}).json()
    assert response["status"] == "success", response
    found = response["data"]["result"]
    assert isinstance(found, list)
    return found


EMPTY = {
    ("docusage-overview", "Firing alerts"),
    ("docusage-overview", "Failing targets"),  # the one that fails never succeeded
    ("docusage-exporter", "Firing alerts"),
    ("docusage-exporter", "Response anomalies"),
    ("docusage-xtracta", "Other resources"),
}
"""Panels that say in words that there is nothing to show of the simulated vendors."""


def silent(http: httpx.Client) -> list[tuple[str, str, str]]:
    return [
        (board["uid"], panel["title"], target["refId"])
        for board, panel in every_panel()
        for target in panel["targets"]
        if not answer(http, expanded(target["expr"], board, DAYS), is_range=target["range"])
    ]


@pytest.mark.e2e
def test_every_panel_has_an_answer_to_each_of_its_queries(tmp_path: Path, past: str) -> None:
    with prometheus(tmp_path, past) as http:
        found = {one for one in silent(http) if one[:2] not in EMPTY}
    # At most ten series leave no others; without a projection nothing is short.
    assert {one for one in found if one[2] == "A"} == set()
    assert found <= {
        ("docusage-affinda", "Organizations", "B"),
        ("docusage-affinda", "Workspaces", "B"),
        ("docusage-affinda", "Document types", "B"),
        ("docusage-exporter", "API requests", "B"),
        ("docusage-overview", "Allowances", "D"),
        ("docusage-overview", "Use per day", "B"),
        ("docusage-xtracta", "Documents per day", "B"),
    }


@pytest.mark.e2e
def test_a_prometheus_without_an_exporter_shows_no_figure_and_so_no_green_tile(
    tmp_path: Path,
) -> None:
    with prometheus(tmp_path, "# EOF\n") as http:
        quiet = set(silent(http))
        shown = {
            (board["uid"], panel["title"])
            for board, panel in every_panel()
            for target in panel["targets"]
            if (board["uid"], panel["title"], target["refId"]) not in quiet
        }
        # That no exporter is up is a figure, and a red one.
        assert shown == {
            ("docusage-exporter", "Exporters up"),
            ("docusage-overview", "Exporters up"),
        }


@pytest.mark.e2e
def test_a_day_after_the_exporter_went_down_no_tile_has_a_figure(tmp_path: Path, past: str) -> None:
    with prometheus(tmp_path, past) as http:
        tiles = [
            expanded(target["expr"], board, DAYS)
            for board, panel in every_panel()
            if panel["type"] in {"stat", "bargauge"}
            for target in panel["targets"]
        ]
        later = {"time": str((END + timedelta(days=1)).timestamp())}
        assert len(tiles) > 20
        for tile in tiles:
            response = http.post("/api/v1/query", data={"query": tile, **later}).json()
            values = [series["value"][1] for series in response["data"]["result"]]
            assert values == (["0"] if tile.endswith("vector(0)") else []), tile
