"""The manifests: valid for Kubernetes, restricted, and right in what they wire together."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kubernetes_rules import RESOURCE, RULES, prometheus_rule
from kubernetes_schema import problems
from kubernetes_tools import tool
from yaml_text import documents, parsed

from exporter.app import load_config
from exporter.cli.main import run
from exporter.polling.sharding import Shard

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
NO_MANIFESTS = {"config.yaml", "kustomization.yaml"}
MANIFESTS = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name not in NO_MANIFESTS)


def manifest(name: str) -> Any:  # noqa: ANN401  whatever YAML has
    return parsed((FOLDER / name).read_text(encoding="utf-8"))


@cache
def built() -> tuple[dict[str, Any], ...]:
    """What `kubectl apply -k` would apply."""
    command = [tool("kubectl"), "kustomize", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def resource(kind: str, name: str = "docusage-exporter") -> dict[str, Any]:
    """The one built resource of a kind whose name begins so."""
    (found,) = (
        found
        for found in built()
        if found["kind"] == kind
        and re.fullmatch(rf"{name}(-[a-z0-9]{{10}})?", found["metadata"]["name"])
    )
    return found


def pod() -> dict[str, Any]:
    return dict(manifest("statefulset.yaml")["spec"]["template"])


@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_takes_every_manifest(name: str) -> None:
    assert problems(manifest(name)) == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("statefulset.yaml", ("spec", "replica"), 1),
        ("statefulset.yaml", ("spec", "template", "spec", "hostnetwork"), True),
        ("podmonitor.yaml", ("spec", "podMetricsEndpoint"), []),
        ("service.yaml", ("spec", "ports"), 10086),
    ],
)
def test_the_schemas_see_a_mistake(name: str, path: tuple[str, ...], value: object) -> None:
    broken = manifest(name)
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert problems(broken) != []


def test_everything_that_is_applied_is_valid() -> None:
    assert [problem for found in built() for problem in problems(found)] == []


def test_nothing_names_a_namespace() -> None:
    assert [found for found in built() if "namespace" in found["metadata"]] == []


def test_every_manifest_is_applied() -> None:
    assert set(MANIFESTS) <= set(manifest("kustomization.yaml")["resources"])
    assert len(built()) == len(MANIFESTS) + 6  # and a configuration, keys, and four dashboards


def test_the_pods_keep_to_the_restricted_standard() -> None:
    spec = pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert {key for volume in spec["volumes"] for key in volume} == {"name", "configMap", "secret"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not [port for port in container["ports"] if "hostPort" in port]


def test_the_user_is_the_image_s() -> None:
    context = pod()["spec"]["securityContext"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"\nUSER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile


def test_probes_ask_what_the_exporter_answers() -> None:
    (container,) = pod()["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "metrics"}


def test_everything_selects_the_pods() -> None:
    labels = pod()["metadata"]["labels"]
    assert manifest("statefulset.yaml")["spec"]["selector"] == {"matchLabels": labels}
    assert manifest("service.yaml")["spec"]["selector"] == labels
    assert manifest("networkpolicy.yaml")["spec"]["podSelector"] == {"matchLabels": labels}
    assert manifest("poddisruptionbudget.yaml")["spec"]["selector"] == {"matchLabels": labels}
    assert manifest("podmonitor.yaml")["spec"]["selector"] == {"matchLabels": labels}


def test_the_number_of_replicas_is_the_number_of_shards() -> None:
    spec = resource("StatefulSet")["spec"]
    serve, reload, shard = spec["template"]["spec"]["containers"][0]["args"]
    assert (spec["replicas"], serve, shard) == (4, "serve", "--shard=$(POD_NAME)/4")
    assert reload == "--config.enable-auto-reload"
    for ordinal in range(4):
        text = shard.replace("$(POD_NAME)", f"docusage-exporter-{ordinal}")
        assert Shard.parse(text.removeprefix("--shard=")) == Shard(ordinal, 4)


def test_the_pods_mount_the_configuration_and_the_keys_that_are_made() -> None:
    volumes = resource("StatefulSet")["spec"]["template"]["spec"]["volumes"]
    config, keys = resource("ConfigMap"), resource("Secret", "docusage-exporter-keys")
    assert volumes[0]["configMap"]["name"] == config["metadata"]["name"]
    assert volumes[1]["secret"]["secretName"] == keys["metadata"]["name"]
    assert set(config["data"]) == {"config.yaml"}


def test_the_configuration_finds_its_keys(tmp_path: Path) -> None:
    (container,) = pod()["spec"]["containers"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    names = [
        line.partition("=")[0]
        for line in (FOLDER / "keys.env").read_text(encoding="utf-8").splitlines()
    ]
    for name in names:
        (tmp_path / name).write_text("made-up-key", encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    text = (FOLDER / "config.yaml").read_text(encoding="utf-8")
    here = tmp_path / "config.yaml"
    here.write_text(text.replace(mounted["keys"], str(tmp_path)), encoding="utf-8")
    assert len(load_config(here, {}).targets) == len(names) == 2
    assert run(["check", str(here)], {}) == 0
    assert f"{mounted['config']}/config.yaml" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_rules_are_those_of_prometheus() -> None:
    assert RESOURCE.read_text(encoding="utf-8") == prometheus_rule()
    groups = [
        group
        for path in sorted(RULES.glob("*.yml"))
        for group in parsed(path.read_text(encoding="utf-8"))["groups"]
    ]
    assert groups
    assert manifest(RESOURCE.name)["spec"]["groups"] == groups


def test_grafana_s_sidecar_finds_every_dashboard() -> None:
    dashboards = {path.name for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
    found = [
        found for found in built() if "grafana_dashboard" in found["metadata"].get("labels", ())
    ]
    assert {name for config in found for name in config["data"]} == dashboards
    assert all(config["metadata"]["labels"]["grafana_dashboard"] == "1" for config in found)
