from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dashboards import GRAFANA
from programs import output
from promql import selectors

from exporter.metrics.catalogue import METRICS
from grafana.generator.alerting import inline_recorded

if TYPE_CHECKING:
    from pathlib import Path

RULES = sorted((GRAFANA.parent / "prometheus/rules").glob("*.yml"))
METRIC_NAMES = {"up", *(metric.name for metric in METRICS)}


def read(path: Path) -> Any:  # noqa: ANN401  YAML
    return yaml.safe_load(path.read_text())


COPIES = [
    rule
    for group in read(GRAFANA / "provisioning/alerting/docusage.yaml")["groups"]
    for rule in group["rules"]
]
ALERTS = [
    rule
    for path in RULES
    for group in read(path)["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


def test_grafana_has_every_alert_that_prometheus_has() -> None:
    assert [copy["title"] for copy in COPIES] == [rule["alert"] for rule in ALERTS]
    assert [copy["for"] for copy in COPIES] == [rule.get("for", "0s") for rule in ALERTS]
    assert len({copy["uid"] for copy in COPIES}) == len(COPIES)
    assert all(re.fullmatch(r"docusage-[a-z-]{1,31}", copy["uid"]) for copy in COPIES)


def test_grafana_needs_no_recorded_series() -> None:
    for copy in COPIES:
        question, condition = copy["data"]
        assert {one.metric for one in selectors(question["model"]["expr"])} <= METRIC_NAMES
        assert condition["model"] == {
            "refId": "B",
            "type": "math",
            "expression": "is_number($A)",
        }
        assert copy["condition"] == "B"


def test_grafana_asks_the_data_source_that_is_provisioned() -> None:
    (source,) = read(GRAFANA / "provisioning/datasources/prometheus.yaml")["datasources"]
    assert {copy["data"][0]["datasourceUid"] for copy in COPIES} == {source["uid"]}


def test_grafana_says_what_prometheus_says() -> None:
    low = next(copy for copy in COPIES if copy["title"] == "DocusageAllowanceLow")
    assert low["labels"] == {"severity": "{{ $$labels.severity }}"}
    assert low["annotations"]["description"] == (
        "Of allowance {{ $labels.allowance }} of account {{ $labels.account }} (target"
        " {{ $labels.target }}) {{ $values.A.Value | humanizePercentage }} is left, which is below"
        " the {{ $labels.severity }} threshold of this target."
    )


def test_recorded_series_are_inline_recorded_and_other_names_left_alone() -> None:
    recorded = {"a:b": "sum(x)", "a:b:c": "max(y)"}
    assert inline_recorded("a:b\n> a:b:c and on (a) z[7d:1h]", recorded) == (
        "(sum(x)) > (max(y)) and on (a) z[7d:1h]"
    )


@pytest.mark.e2e
@pytest.mark.parametrize("name", [rule["alert"] for rule in ALERTS])
def test_grafanas_copy_fires_and_stays_silent_as_the_rule_does(name: str, tmp_path: Path) -> None:
    (alert,) = (rule for rule in ALERTS if rule["alert"] == name)
    (copy,) = (copy for copy in COPIES if copy["title"] == name)
    rules = {"name": "copy", "rules": [alert | {"expr": copy["data"][0]["model"]["expr"]}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [rules]}))
    cases = read(GRAFANA.parent / f"prometheus/tests/{name}.yml") | {"rule_files": ["rules.yml"]}
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases))
    output("promtool", "test", "rules", tmp_path / "cases.yml")
