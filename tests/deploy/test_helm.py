"""The Helm chart, rendered by the real helm: valid, restricted, and the same as the manifests."""

from __future__ import annotations

import json
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import chart_readme
import pytest
from chart_readme import CHART
from kubernetes_schema import problems
from kubernetes_tools import tool
from yaml_text import documents, parsed

from exporter.cli.main import run
from exporter.polling.sharding import Shard

ROOT = Path(__file__).parents[2]
VALUES = ROOT / "tests" / "data" / "helm"
FILES = sorted(path.stem for path in VALUES.glob("*.yaml"))
OPERATOR = {"ServiceMonitor", "PrometheusRule", "PodMonitor"}


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own words
        [tool("helm"), *arguments], capture_output=True, text=True, check=False
    )


@cache
def rendered(name: str) -> tuple[dict[str, Any], ...]:
    """The resources of a release `acme` with a values file."""
    values = str(VALUES / f"{name}.yaml")
    done = helm("template", "acme", str(CHART), "--namespace", "usage", "--values", values)
    assert done.returncode == 0, done.stderr
    return tuple(found for found in documents(done.stdout) if found)


def resource(name: str, kind: str) -> dict[str, Any]:
    (found,) = (found for found in rendered(name) if found["kind"] == kind)
    return found


def container(name: str) -> dict[str, Any]:
    (found,) = resource(name, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def refusal(tmp_path: Path, values: dict[str, Any]) -> str:
    """What helm says of values that it rejects."""
    path = tmp_path / "values.yaml"
    path.write_text(json.dumps(values))
    done = helm("template", "acme", str(CHART), "--values", str(path))
    assert done.returncode == 1
    return done.stderr


def test_the_strict_linter_finds_nothing() -> None:
    done = helm("lint", "--strict", str(CHART), "--values", str(VALUES / "everything.yaml"))
    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout


@pytest.mark.parametrize("name", FILES)
def test_kubernetes_and_the_operator_accept_every_resource(name: str) -> None:
    assert [problem for found in rendered(name) for problem in problems(found)] == []


@pytest.mark.parametrize("name", FILES)
def test_names_are_unique_within_a_kind(name: str) -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in rendered(name)]
    assert len(set(names)) == len(names)


def test_nothing_that_needs_an_operator_is_on_by_default() -> None:
    kinds = {found["kind"] for found in rendered("minimal")}
    assert kinds == {"ConfigMap", "Pod", "Service", "ServiceAccount", "StatefulSet"}
    assert {found["kind"] for found in rendered("everything")} >= {"ServiceMonitor"}


@pytest.mark.parametrize("name", ["minimal", "sharded", "tls", "everything"])
def test_check_accepts_every_configuration(name: str, tmp_path: Path) -> None:
    (config,) = (found for found in rendered(name) if "config.yaml" in found.get("data", {}))
    path = tmp_path / "config.yaml"
    path.write_text(config["data"]["config.yaml"], encoding="utf-8")
    assert run(["check", "--no-secrets", str(path)], {}) == 0


@pytest.mark.parametrize("name", FILES)
def test_the_pods_keep_to_the_restricted_standard(name: str) -> None:
    for found in rendered(name):
        if found["kind"] in {"Pod", "StatefulSet"}:
            spec = found["spec"] if found["kind"] == "Pod" else found["spec"]["template"]["spec"]
            assert spec["automountServiceAccountToken"] is False
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
            assert spec["containers"][0]["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_pod_of_a_sharded_release_polls_a_shard_of_its_own() -> None:
    spec = resource("sharded", "StatefulSet")["spec"]
    (shard,) = (text for text in container("sharded")["args"] if text.startswith("--shard="))
    assert spec["replicas"] == 3
    for ordinal in range(3):
        text = shard.replace("$(POD_NAME)", f"{spec['serviceName']}-{ordinal}")
        assert Shard.parse(text.removeprefix("--shard=")) == Shard(ordinal, 3)


def test_persistence_mounts_the_folder_that_the_exporter_is_told() -> None:
    args, mounts = container("sharded")["args"], container("sharded")["volumeMounts"]
    assert "--storage.path=/var/lib/docusage-exporter" in args
    assert {"name": "state", "mountPath": "/var/lib/docusage-exporter"} in mounts
    assert "--storage.path=/var/lib/docusage-exporter" not in container("minimal")["args"]


def test_a_changed_configuration_is_reloaded_without_a_new_pod() -> None:
    assert "--config.enable-auto-reload" in container("minimal")["args"]
    annotations = resource("minimal", "StatefulSet")["spec"]["template"]["metadata"]
    assert "annotations" not in annotations


def test_probes_use_the_health_check_where_a_web_configuration_may_ask_for_a_password() -> None:
    assert container("minimal")["readinessProbe"]["httpGet"]["path"] == "/-/ready"
    assert container("tls")["readinessProbe"]["exec"]["command"] == [
        *("docusage-exporter", "healthcheck"),
        "http://127.0.0.1:10086/docusage/-/ready",
    ]


def test_the_service_monitor_follows_tls_prefix_and_the_operator_s_selector() -> None:
    monitor = resource("tls", "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert (endpoint["scheme"], endpoint["path"]) == ("https", "/docusage/metrics")
    labels = resource("tls", "Service")["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", FILES)
def test_the_service_selects_the_exporter_s_pods_and_not_the_test(name: str) -> None:
    selector = resource(name, "Service")["spec"]["selector"].items()
    template = resource(name, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert selector <= template.items()
    assert not selector <= resource(name, "Pod")["metadata"]["labels"].items()


def test_rules_and_dashboards_are_those_of_the_repository() -> None:
    groups = [
        group
        for path in sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
        for group in parsed(path.read_text(encoding="utf-8"))["groups"]
    ]
    assert resource("everything", "PrometheusRule")["spec"]["groups"] == groups
    boards = {
        name: json.loads(text)
        for found in rendered("everything")
        if found["metadata"].get("labels", {}).get("dashboard") == "yes"
        for name, text in found["data"].items()
    }
    assert boards == {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in (ROOT / "grafana" / "dashboards").glob("*.json")
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "no targets: set config.targets"),
        ({"demo": True, "existingSecret": "a"}, "set only one of demo, existingSecret"),
        ({"demo": True, "shards": 2}, "demo: true runs one pod"),
        (
            {"demo": True, "webConfig": {"tls": True}},
            "webConfig.tls needs webConfig.existingSecret",
        ),
        ({"demo": True, "service": {"prot": 1}}, "at '/service': additional properties 'prot'"),
        ({"demo": True, "shards": "two"}, "at '/shards': got string, want integer"),
        ({"demo": True, "secretMounts": [{"secretName": "a"}]}, "missing property 'mountPath'"),
        ({"demo": True, "image": {"digest": "sha256:1"}}, "at '/image/digest'"),
        ({"demo": True, "logLevel": "warning"}, "at '/logLevel': value must be one of"),
    ],
)
def test_wrong_values_are_rejected_with_the_key(
    values: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert words in refusal(tmp_path, values)


def test_every_value_is_documented_and_in_the_schema() -> None:
    text = (CHART / "README.md").read_text(encoding="utf-8")
    assert chart_readme.with_table(text) == text
    data = parsed((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(data) == set(schema["properties"]) - {"global"}
    documented = {value.path.split(".")[0] for value in chart_readme.values()}
    assert documented == set(data)


def test_the_chart_s_version_is_the_project_s() -> None:
    chart = parsed((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_notes_say_how_to_see_the_first_figures() -> None:
    values = str(VALUES / "minimal.yaml")
    done = helm("install", "acme", str(CHART), "--dry-run=client", "--values", values)
    assert done.returncode == 0, done.stderr
    assert "port-forward pod/acme-docusage-exporter-0 10086" in done.stdout


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """A resource without what may differ: labels, its namespace, and the names of volumes."""
    spec = json.loads(json.dumps(found.get("spec", {})))
    for place in (spec, spec.get("template", {}).get("metadata", {})):
        place.pop("labels", None)
    for key in ("selector", "podSelector"):
        spec.pop(key, None)
    pod = spec.get("template", {}).get("spec", {})
    for constraint in pod.get("topologySpreadConstraints", ()):
        constraint.pop("labelSelector")
    names = {volume["name"]: index for index, volume in enumerate(pod.get("volumes", ()))}
    for volume in pod.get("volumes", ()):
        volume["name"] = names[volume["name"]]
        if "secret" in volume:  # kustomize adds a hash
            volume["secret"]["secretName"] = volume["secret"]["secretName"][:22]
    for each in pod.get("containers", ()):
        for mount in each["volumeMounts"]:
            mount["name"] = names[mount["name"]]
    return dict(spec)


def test_the_chart_and_the_kustomize_base_render_the_same() -> None:
    done = subprocess.run(  # noqa: S603  our own words
        [tool("kubectl"), "kustomize", str(ROOT / "deploy" / "kubernetes")],
        capture_output=True,
        text=True,
        check=True,
    )
    base = {found["kind"]: found for found in documents(done.stdout)}
    chart = {found["kind"]: found for found in rendered("kustomize")}
    both = base.keys() & chart.keys() - {"ConfigMap"}
    assert both == {
        *("NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service"),
        *("ServiceAccount", "StatefulSet"),
    }
    for kind in both:
        assert comparable(base[kind]) == comparable(chart[kind]), kind
