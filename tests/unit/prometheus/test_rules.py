from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards import FILES, boards, panels
from programs import output
from promql import grouping_labels, selectors
from yaml_text import parsed

from grafana.generator.queries import LABELS
from prometheus.generator import __main__ as generator
from prometheus.generator.promql import BUILD_LABELS, EXPORTER_LABELS, FOR_BOARDS
from prometheus.generator.rules import Links
from prometheus.generator.text import Figure, Sentence, Text

PROMETHEUS = Path(__file__).parent.parent.parent.parent / "prometheus"
RULES = tuple(sorted((PROMETHEUS / "rules").glob("*.yml")))
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK = "https://github.com/docusage/docusage-exporter/blob/main/prometheus/RUNBOOK.md#"
GRAFANA = "http://localhost:3000/d/"
EXPOSED = {name: set(labels) for name, labels in LABELS.items()} | {"up": set()}
SCRAPED = {"job", *EXPORTER_LABELS}
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


@cache
def rules(paths: tuple[Path, ...] = RULES) -> list[dict[str, Any]]:
    return [
        rule
        for path in paths
        for group in parsed(path.read_text())["groups"]
        for rule in group["rules"]
    ]


@cache
def cases_of(path: Path) -> list[dict[str, Any]]:
    return list(parsed(path.read_text())["tests"])


ALERTS = [rule for rule in rules() if "alert" in rule]
NAMES = {rule["alert"] for rule in ALERTS}
RECORDED = {rule["record"] for rule in rules() if "record" in rule}


def named(rule: dict[str, Any]) -> str:
    return str(rule.get("record") or f"{rule['alert']}-{rule['labels']['severity']}")


each_rule = pytest.mark.parametrize("rule", rules(), ids=named)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=named)


def test_what_is_committed_is_what_the_generator_writes() -> None:
    written = generator.files(Links())
    assert {path.name: path.read_text() for path in RULES} == dict(written)


def test_one_flag_changes_where_all_links_to_grafana_or_the_runbook_point(tmp_path: Path) -> None:
    generator.main(
        [
            "--grafana-url=https://grafana.example.org/",
            "--runbook-url=https://wiki.example.org/runbook",
            f"--output={tmp_path}",
        ]
    )
    moved = [rule for rule in rules(tuple(sorted(tmp_path.glob("*.yml")))) if "alert" in rule]
    assert len(moved) == len(ALERTS)
    for rule in moved:
        notes = rule["annotations"]
        assert notes["dashboard_url"].startswith("https://grafana.example.org/d/docusage-")
        assert notes["runbook_url"].startswith("https://wiki.example.org/runbook#docusage")


def test_every_promised_alert_is_there() -> None:
    assert sorted(NAMES) == [
        "DocusageAllowanceChanged",
        "DocusageAllowanceExhausted",
        "DocusageAllowanceLapses",
        "DocusageAllowanceLow",
        "DocusageAllowanceOverrun",
        "DocusageAllowanceRunsOutEarly",
        "DocusageAllowanceRunsOutSoon",
        "DocusageConfigReloadFailed",
        "DocusageCredentialsRejected",
        "DocusageDataStale",
        "DocusageExporterDown",
        "DocusageManyTargetsDown",
        "DocusagePlanExpired",
        "DocusagePlanExpiring",
        "DocusagePriceChanged",
        "DocusageResponseAnomalies",
        "DocusageScopesFailing",
        "DocusageShardMissing",
        "DocusageTargetDown",
        "DocusageTargetsMissing",
        "DocusageUsageSpike",
        "DocusageUsageStopped",
        "DocusageWorkspaceNew",
        "DocusageWorkspaceSpike",
    ]


@each_rule
def test_rules_select_only_what_the_exporter_exposes(rule: dict[str, Any]) -> None:
    for selector in selectors(rule["expr"]):
        if selector.metric not in RECORDED:
            assert selector.labels <= EXPOSED[selector.metric], selector
    known = set().union(*EXPOSED.values(), SCRAPED, BUILD_LABELS, {"week"})
    assert grouping_labels(rule["expr"]) <= known


@each_rule
def test_a_rule_keeps_every_label_that_does_not_name_an_exporter(rule: dict[str, Any]) -> None:
    """Neither `by` nor `on` is used, which would drop `cluster` and `namespace`."""
    assert not re.search(r"\b(by|on)\s*\(", rule["expr"])


@each_rule
def test_no_rule_names_a_vendor_except_by_a_metric_of_its_own(rule: dict[str, Any]) -> None:
    assert not re.search(r"vendor\s*[!=~]", rule["expr"])
    for selector in selectors(rule["expr"]):
        assert "vendor" not in selector.labels


@each_alert
def test_an_alert_has_its_severity_its_text_and_its_links(alert: dict[str, Any]) -> None:
    severity, notes = alert["labels"]["severity"], alert["annotations"]
    assert severity in {"critical", "warning", "info", "{{ $labels.severity }}"}
    assert notes.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in notes["summary"]
    assert "{{" in notes["description"]
    assert notes["runbook_url"] == RUNBOOK + alert["alert"].lower()
    uids = "|".join(path.stem for path in FILES)
    assert re.match(rf"{GRAFANA}({uids})\?viewPanel=\d+&var-job=", notes["dashboard_url"])


def sections() -> dict[str, str]:
    text = (PROMETHEUS / "RUNBOOK.md").read_text()
    found = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {section.split("\n")[0]: section for section in found}


def test_every_alert_has_its_section_in_the_runbook_and_nothing_else_has() -> None:
    assert set(sections()) == NAMES
    for section in sections().values():
        assert re.findall(r"^\*\*(.+?)\*\*:? ", section, re.MULTILINE) == [
            "Means",
            "Wait until morning?",
            "Look at",
            "Do",
        ]


def test_the_runbook_links_panels_that_exist() -> None:
    text = (PROMETHEUS / "RUNBOOK.md").read_text()
    numbers = {
        (board["uid"], panel["title"]): panel["id"] for board in boards() for panel in panels(board)
    }
    found = re.findall(r"\[([^\]]+)\]\(http://localhost:3000/d/([\w-]+)\?viewPanel=(\d+)\)", text)
    assert {(uid, title): int(number) for title, uid, number in found}.items() <= numbers.items()


def test_each_section_of_the_runbook_is_found_by_the_name_of_its_alert() -> None:
    text = (PROMETHEUS / "RUNBOOK.md").read_text()
    assert set(re.findall(r'^<a id="(\w+)"></a>\n\n## \1$', text, re.MULTILINE)) == NAMES


def test_cases_expect_the_panels_that_alerts_link() -> None:
    panel = re.compile(r"d/[\w-]+\?viewPanel=\d+")
    linked = {
        alert["alert"]: panel.findall(alert["annotations"]["dashboard_url"]) for alert in ALERTS
    }
    tests = [test for path in CASES for test in cases_of(path)]
    checks = [check for test in tests for check in test.get("alert_rule_test", ())]
    expected = [
        (check["alertname"], panel.findall(alert["exp_annotations"]["dashboard_url"]))
        for check in checks
        for alert in check["exp_alerts"]
    ]
    assert len(expected) > 10
    for name, found in expected:
        assert found == linked[name]


def test_what_dashboards_read_is_recorded() -> None:
    assert set(FOR_BOARDS.values()) <= RECORDED


def test_labels_in_descriptions_are_those_of_metrics() -> None:
    known = set().union(*EXPOSED.values(), SCRAPED)
    for alert in ALERTS:
        text = alert["annotations"]["description"]
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= known


def test_the_first_alerts_have_cases_of_every_kind() -> None:
    paths = [path for path in CASES if path.stem.startswith("Docusage")]
    assert len(paths) == 13
    missing = {path.stem: KINDS - kinds(path) for path in paths}
    assert {name: lacking for name, lacking in missing.items() if lacking} == {}


def kinds(path: Path) -> set[str]:
    return {test["name"].split(":")[0] for test in cases_of(path)}


def test_every_alert_fires_in_one_case_and_stays_silent_in_another() -> None:
    checks = [
        check for path in CASES for test in cases_of(path) for check in test["promql_expr_test"]
    ]
    fired = {name for check in checks if check["exp_samples"] for name in alerts_in(check)}
    silent = {name for check in checks if not check["exp_samples"] for name in alerts_in(check)}
    assert fired == NAMES
    assert silent == NAMES


def alerts_in(check: dict[str, Any]) -> list[str]:
    return re.findall(r'alertname="(\w+)"', check["expr"])


@pytest.mark.e2e
def test_prometheus_accepts_the_rules_and_the_example_configurations() -> None:
    output("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    output("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    output("amtool", "check-config", PROMETHEUS / "alertmanager.yml")


@pytest.mark.e2e
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_alert_fires_and_stays_silent_as_its_cases_say(path: Path, tmp_path: Path) -> None:
    output("promtool", "test", "rules", with_needed_rules(path, tmp_path), timeout=600)


def name_of(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def with_needed_rules(path: Path, folder: Path) -> Path:
    """A copy of the cases with only the rules that they depend on, which takes half the time."""
    cases = path.read_text()
    if re.search(r"ALERTS(?!\{[^}]*alertname=)", cases):  # every alert matters to it
        return path
    (folder / "rules").mkdir()
    (folder / "tests").mkdir()
    needed = {name for name in NAMES | RECORDED if re.search(rf"\b{name}\b", cases)}
    found = needed
    while found:
        used = " ".join(str(rule) for rule in rules() if name_of(rule) in found)
        found = {name for name in RECORDED - needed if name in used}
        needed |= found
    for rule_file in RULES:
        content = parsed(rule_file.read_text())
        (group,) = content["groups"]
        group["rules"] = [rule for rule in group["rules"] if name_of(rule) in needed]
        (folder / "rules" / rule_file.name).write_text(yaml.safe_dump(content))
    copy = folder / "tests" / path.name
    copy.write_text(cases)
    return copy


@pytest.mark.e2e
def test_the_cases_would_notice_a_rule_that_never_fires(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    name = "DocusageConfigReloadFailed"
    for rule in RULES:
        text = re.sub(r"(_reload_successful\)) == 0", r"\1 == 2", rule.read_text())
        (tmp_path / "rules" / rule.name).write_text(text)
    cases = tmp_path / "tests" / f"{name}.yml"
    cases.write_text((PROMETHEUS / "tests" / cases.name).read_text())
    with pytest.raises(AssertionError, match="FAILED"):
        output("promtool", "test", "rules", cases)


FIGURES = {"left": Figure("left{$series}"), "name": Figure("info{$series}")}


class TestText:
    def test_a_sentence_without_figures_is_plain(self) -> None:
        assert Text("Buy {{ $labels.target }}.").for_prometheus() == "Buy {{ $labels.target }}."

    def test_prometheus_looks_a_figure_up_by_the_labels_of_the_alert(self) -> None:
        text = Text(Sentence("<left> left."), figures=FIGURES).for_prometheus()
        assert text.endswith(
            '{{ with printf "left{%[1]s}" $series | query }}{{ $left := first . }}'
            '{{ $left | value | printf "%.0f" | reReplaceAll "(\\\\d)(\\\\d{3})$" "${1},$2"'
            ' | reReplaceAll "(\\\\d)(\\\\d{3})," "${1},$2," }} left.{{ end }}'
        )

    def test_grafana_has_a_query_for_each_figure(self) -> None:
        text = Text(Sentence("<name.account_name> is low.", otherwise="Low."), figures=FIGURES)
        assert text.for_grafana({"name": "C"}) == (
            "{{ if $values.C.Labels }}{{ $values.C.Labels.account_name }} is low."
            "{{ else }}Low.{{ end }}"
        )

    def test_only_figures_that_are_used_are_looked_up(self) -> None:
        text = Text(Sentence("<left> left."), figures=FIGURES)
        assert list(text.figures()) == ["left"]

    def test_a_replacement_may_have_figures_of_its_own(self) -> None:
        sentence = Sentence("<name.unit>.", otherwise=Sentence("<left>."))
        assert list(Text(sentence, figures=FIGURES).figures()) == ["name", "left"]
