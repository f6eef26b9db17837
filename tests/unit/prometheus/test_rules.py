from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import output
from promql import grouping_labels, selectors

from exporter.metrics.catalogue import METRICS

PROMETHEUS = Path(__file__).parent.parent.parent.parent / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK = "https://github.com/docusage/docusage-exporter/blob/main/prometheus/RUNBOOK.md#"
LABELS = {metric.name: set(metric.labels) for metric in METRICS} | {"up": set()}
SCRAPED = {"job", "instance", "pod"}
KINDS = {
    "below",
    "above",
    "at the threshold",
    "flapping",
    "series gone",
    "restart",
    "renewal",
    "two replicas",
}


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RECORDED = {rule["record"] for rule in rules() if "record" in rule}


def test_every_promised_alert_is_there() -> None:
    assert sorted(ALERTS) == [
        "DocusageAllowanceExhausted",
        "DocusageAllowanceLow",
        "DocusageAllowanceRunsOutEarly",
        "DocusageConfigReloadFailed",
        "DocusageCredentialsRejected",
        "DocusageDataStale",
        "DocusageExporterDown",
        "DocusagePlanExpired",
        "DocusagePlanExpiring",
        "DocusageResponseAnomalies",
        "DocusageTargetDown",
        "DocusageUsageSpike",
        "DocusageUsageStopped",
    ]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_select_only_what_the_exporter_exposes(rule: dict[str, Any]) -> None:
    found = [one for one in selectors(rule["expr"]) if one.metric not in RECORDED]
    for selector in found:
        assert selector.labels <= LABELS[selector.metric] | SCRAPED, selector
    known = set().union(*LABELS.values(), SCRAPED, {"week"})
    assert grouping_labels(rule["expr"]) <= known


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    severity, notes = alert["labels"]["severity"], alert["annotations"]
    assert severity in {"critical", "warning", "info", "{{ $labels.severity }}"}
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert "{{" not in notes["summary"]
    assert "{{" in notes["description"]
    assert notes["runbook_url"] == RUNBOOK + alert["alert"].lower()


def test_every_alert_has_its_section_in_the_runbook_and_no_other_thing_has() -> None:
    text = (PROMETHEUS / "RUNBOOK.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert sorted(section.split("\n")[0] for section in sections) == sorted(ALERTS)
    for section in sections:
        assert re.findall(r"^\*\*(.+?)\*\*: ", section, re.MULTILINE) == [
            "Means",
            "Look at",
            "Do",
        ]


def test_labels_in_descriptions_are_those_of_the_alert() -> None:
    known = set().union(*LABELS.values(), SCRAPED)
    for alert in ALERTS.values():
        named = re.findall(r"\$labels\.(\w+)", alert["annotations"]["description"])
        assert set(named) <= known


def test_every_alert_has_cases_of_every_kind() -> None:
    assert [path.stem for path in CASES] == sorted(ALERTS)
    missing = {path.stem: KINDS - kinds(path) for path in CASES}
    assert {name: lacking for name, lacking in missing.items() if lacking} == {}


def kinds(path: Path) -> set[str]:
    return {test["name"].split(":")[0] for test in yaml.safe_load(path.read_text())["tests"]}


@pytest.mark.e2e
def test_prometheus_accepts_the_rules_and_the_example_configurations() -> None:
    output("promtool", "check", "rules", *RULES)
    output("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    output("amtool", "check-config", PROMETHEUS / "alertmanager.yml")


@pytest.mark.e2e
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_alert_fires_and_stays_silent_as_its_cases_say(path: Path) -> None:
    output("promtool", "test", "rules", path)


@pytest.mark.e2e
def test_the_cases_would_notice_a_rule_that_never_fires(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    name = "DocusageConfigReloadFailed"
    for rule in RULES:
        text = rule.read_text().replace("_reload_successful) == 0", "_reload_successful) == 2")
        (tmp_path / "rules" / rule.name).write_text(text)
    cases = tmp_path / "tests" / f"{name}.yml"
    cases.write_text((PROMETHEUS / "tests" / cases.name).read_text())
    with pytest.raises(AssertionError, match="FAILED"):
        output("promtool", "test", "rules", cases)
