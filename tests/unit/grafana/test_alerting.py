from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dashboards import GRAFANA
from programs import output
from promql import selectors
from yaml_text import parsed

from grafana.generator import alerting
from grafana.generator.alerting import without_records
from grafana.generator.queries import LABELS
from prometheus.generator.rules import Alert, severity

if TYPE_CHECKING:
    from pathlib import Path

TESTS = GRAFANA.parent / "prometheus/tests"
METRIC_NAMES = {"up", *LABELS}
WITHOUT_MEMORY = re.compile("below|above|at the threshold|two replicas: they")
"""Kinds of cases that a copy without recorded series passes as well."""


def read(path: Path) -> Any:  # noqa: ANN401  YAML
    return parsed(path.read_text())


COPIES = [
    rule
    for group in read(GRAFANA / "provisioning/alerting/docusage.yaml")["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for group in alerting.GROUPS for rule in group.rules if isinstance(rule, Alert)]
CASES = sorted(path.stem for path in TESTS.glob("Docusage*.yml"))


def test_grafana_has_every_alert_that_prometheus_has() -> None:
    assert [copy["uid"] for copy in COPIES] == [alerting.uid(rule) for rule in ALERTS]
    assert [copy["title"].split(" ")[0] for copy in COPIES] == [rule.alert for rule in ALERTS]
    assert [copy["for"] for copy in COPIES] == [rule.duration or "0s" for rule in ALERTS]
    assert len({copy["uid"] for copy in COPIES}) == len(COPIES)
    assert len({copy["title"] for copy in COPIES}) == len(COPIES)
    assert all(re.fullmatch(r"docusage-[a-z-]{1,31}", copy["uid"]) for copy in COPIES)


def test_grafana_needs_no_recorded_series() -> None:
    for copy in COPIES:
        query, condition, *figures = copy["data"]
        for one in (query, *figures):
            assert {found.metric for found in selectors(one["model"]["expr"])} <= METRIC_NAMES
        assert condition["model"] == {
            "refId": "B",
            "type": "math",
            "expression": "is_number($A)",
        }
        assert copy["condition"] == "B"


def test_grafana_queries_the_data_source_that_is_provisioned() -> None:
    (source,) = read(GRAFANA / "provisioning/datasources/prometheus.yaml")["datasources"]
    asked = {query["datasourceUid"] for copy in COPIES for query in copy["data"]}
    assert asked == {source["uid"], "__expr__"}


def test_grafana_shows_the_figures_of_its_own_queries() -> None:
    for copy in COPIES:
        refs = {query["refId"] for query in copy["data"]}
        used = set(re.findall(r"\$values\.([A-Z])", copy["annotations"]["description"]))
        assert used <= refs - {"B"}
        assert refs <= used | {"A", "B"}


def test_a_severity_of_grafana_is_that_of_prometheus() -> None:
    for copy, rule in zip(COPIES, ALERTS, strict=True):
        assert copy["labels"] == {"severity": severity(rule).replace("$", "$$")}


def test_recorded_series_are_replaced_and_other_names_left_alone() -> None:
    recorded = {"account:a": "sum(x)"}
    assert without_records("account:a\n> z[7d:1h]", recorded) == "(sum(x))\n> z[7d:1h]"


@pytest.mark.e2e
@pytest.mark.parametrize("name", CASES)
def test_grafanas_copy_fires_and_stays_silent_as_the_rule_does(name: str, tmp_path: Path) -> None:
    rules = [
        {
            "alert": copy["title"].split(" ")[0],
            "expr": copy["data"][0]["model"]["expr"],
            "for": copy["for"],
            "labels": {"severity": copy["labels"]["severity"].replace("$$", "$")},
        }
        for copy in COPIES
        if copy["title"].split(" ")[0] == name
    ]
    group = {"name": "copy", "rules": rules}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
    cases = read(TESTS / f"{name}.yml")
    cases["tests"] = [
        {key: value for key, value in test.items() if key != "alert_rule_test"}
        for test in cases["tests"]
        if WITHOUT_MEMORY.match(test["name"])
    ]
    del cases["rule_files"]
    cases.pop("group_eval_order", None)
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases | {"rule_files": ["rules.yml"]}))
    output("promtool", "test", "rules", tmp_path / "cases.yml", timeout=300)
