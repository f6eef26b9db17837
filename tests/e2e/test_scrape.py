"""From the vendors' figures to the answers of the real Prometheus."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from exporter_process import (
    Program,
    affinda_target,
    configuration,
    running,
    until,
    xtracta_target,
)
from prometheus_server import Prometheus, binary, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
LISTEN = "--web.listen-address=127.0.0.1:0"
SCRAPE = """
scrape_configs:
  - job_name: docusage
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs: [{targets: ["%s"]}]
"""
ORGANIZATION = 'organization="mEFayXdO",target="acme-a"'
PLAN = 'group_id="481",plan_id="7",target="acme-x"'
ALLOWANCE = 'account="481",allowance="7",target="acme-x",vendor="xtracta"'
OURS = {
    f"affinda_credits_daily{{{ORGANIZATION}}}": 12,
    f"affinda_credits_last_7_days{{{ORGANIZATION}}}": 100,
    f"affinda_credits_available{{{ORGANIZATION}}}": 358,
    f"affinda_usage_day_timestamp_seconds{{{ORGANIZATION}}}": 1_772_409_600,
    'docusage_target_polls_total{target="acme-a",vendor="affinda"}': 1,
    'docusage_target_up{target="acme-a",vendor="affinda"}': 1,
}
THEIRS = {
    f"xtracta_documents_available{{{PLAN}}}": 750,
    f'xtracta_plan_price{{currency="NZD",{PLAN}}}': 390,
    f"xtracta_plan_expiry_timestamp_seconds{{{PLAN}}}": 1_798_761_600,
    f"docusage_allowance_available_ratio{{{ALLOWANCE}}}": 0.75,
    'docusage_target_up{target="acme-x",vendor="xtracta"}': 1,
}


@pytest.fixture
def exporter(tmp_path: Path, base_url: str) -> Iterator[Program]:
    path = tmp_path / "config.yaml"
    path.write_text(configuration(affinda_target(base_url), xtracta_target(base_url)))
    with running(tmp_path, f"--config.file={path}", LISTEN) as program:
        until(lambda: program.ask("/-/ready").status == 200)
        yield program


@pytest.fixture
def server(tmp_path: Path, exporter: Program) -> Iterator[Prometheus]:
    with prometheus(tmp_path, SCRAPE % exporter.url.removeprefix("http://")) as found:
        yield found


def test_prometheus_answers_with_the_vendors_figures_until_a_target_is_removed(
    exporter: Program, server: Prometheus, base_url: str, tmp_path: Path
) -> None:
    everything = '{target=~".+"}'
    expected = OURS | THEIRS
    found = until(lambda: server.query(everything))
    assert {name: found.get(name) for name in expected} == expected
    assert server.query("sum(docusage_target_poll_failures_total)") == {"{}": 0}
    (scraped,) = server.get("targets")["activeTargets"]
    assert (scraped["health"], scraped["lastError"]) == ("up", "")

    (tmp_path / "config.yaml").write_text(configuration(affinda_target(base_url)))
    assert exporter.ask("/-/reload", "POST").status == 200
    until(lambda: not server.query('{target="acme-x"}'))
    found = server.query(everything)
    assert {name: found.get(name) for name in OURS} == OURS


def test_promtool_has_nothing_to_say_about_the_metrics(exporter: Program) -> None:
    page = exporter.ask("/metrics").text
    said = subprocess.run(  # noqa: S603  the program of the Debian package
        [binary("promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        check=False,
        text=True,
        timeout=20,
    )
    # It takes `_days` for a unit where the contract's names say how many days are added up:
    # last_7_days is a sum of credits, and "seconds" would make no sense there.
    known = re.compile(
        r"affinda_(?:[a-z]+_)*credits_last_(?:7|30|365)_days"
        r' use base unit "seconds" instead of "days"'
    )
    remarks = f"{said.stdout}{said.stderr}".splitlines()
    assert [remark for remark in remarks if not known.fullmatch(remark)] == []
    assert len(remarks) == 3


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_a_missing_server_skips_a_test_and_fails_it_in_continuous_integration(
    ci: str, outcome: type[BaseException]
) -> None:
    with pytest.raises(outcome, match=r"^prometheus-of-nowhere is not installed"):
        binary("prometheus-of-nowhere", {"CI": ci})
