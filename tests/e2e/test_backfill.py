"""A year of history and live values in the real Prometheus."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from exporter_process import (
    MODULE,
    affinda_target,
    configuration,
    environment,
    running,
    served,
    until,
)
from prometheus_server import binary, prometheus

from exporter.demo.accounts import Accounts, Organization
from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

SCRAPE = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: docusage
    static_configs: [{{targets: ["{exporter}"]}}]
"""


def used(day: date) -> int:
    return 100 + day.day


ACCOUNTS = Accounts((Organization("mEFayXdO", "Acme", "made-up-key-a", used),))


def done(folder: Path, *command: str) -> str:
    """The output of a command that ends well."""
    return subprocess.run(  # noqa: S603  our own program, and promtool
        command, cwd=folder, env=environment(), check=True, stdout=-1, text=True, timeout=60
    ).stdout


def backfill(folder: Path, exporter: str) -> None:
    """Write a year's history and import it with the command that the program prints."""
    start = datetime.now(UTC).date() - timedelta(days=365)
    labels = "--label=job=docusage", f"--label=instance={exporter}"
    output = done(folder, *MODULE, "backfill", f"--start={start}", "--step=1h", *labels)
    _, promtool = output.splitlines()[2].replace("DIRECTORY", "tsdb").split(maxsplit=1)
    done(folder, binary("promtool"), *promtool.split())


@pytest.mark.e2e
def test_one_query_covers_history_and_live_values_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    flags = f"--config.file={path}", "--web.listen-address=127.0.0.1:0"
    with served(Vendors(ACCOUNTS)) as url:
        path.write_text(configuration(affinda_target(url)))
        with running(tmp_path, *flags) as program:
            exporter = program.url.removeprefix("http://")
            backfill(tmp_path, exporter)
            scrape = SCRAPE.format(exporter=exporter)
            with prometheus(tmp_path, scrape, "--storage.tsdb.retention.time=10y") as server:
                until(lambda: server.query("docusage_target_up == 1"))
                bars = "max_over_time(affinda_credits_daily[1d] offset -1d)[364d:1d]"
                bar_per_day = server.get("query", query=bars)["result"]
                samples = server.get("query", query="affinda_credits_daily[2d]")["result"]
    labels = {"target": "acme-a", "organization": "mEFayXdO", "instance": exporter}
    labels["job"] = "docusage"
    assert [series["metric"] for series in bar_per_day] == [labels]
    assert [series["metric"] for series in samples] == [
        labels | {"__name__": "affinda_credits_daily"}
    ]
    assert len(bar_per_day[0]["values"]) == 364
    for moment, value in bar_per_day[0]["values"] + samples[0]["values"]:
        assert int(value) == used(datetime.fromtimestamp(moment, UTC).date())
    # The last sample of the history is the last second of a day; live samples follow.
    times = [time for time, _ in samples[0]["values"]]
    of_history = [time for time in times if time % 3600 == 3599]
    assert of_history[-1] % 86_400 == 86_399
    assert times[-1] > of_history[-1]
