"""The compose file: valid, and everything in it finds everything else."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from programs import program
from yaml_text import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "deploy" / "compose.yaml"
COMPOSE: dict[str, Any] = parsed(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# Copied from check-jsonschema 0.39.0, which takes it from the specification (Apache-2.0).
SCHEMA = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text(encoding="utf-8"))


def settings(name: str) -> Any:  # noqa: ANN401  whatever YAML has
    return parsed((ROOT / name).read_text(encoding="utf-8"))


def mounts(service: str) -> Iterator[tuple[str, str, str]]:
    """Source, place and mode of each mount, as they are without variables."""
    for volume in SERVICES[service]["volumes"]:
        source, place, *mode = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")
        yield source, place, "".join(mode)


def test_the_file_is_what_the_specification_allows() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(COMPOSE)] == []


def test_the_schema_sees_a_mistake() -> None:
    broken = {"services": {"exporter": {"image": "x", "volume": ["a:b"]}}}
    assert list(Draft202012Validator(SCHEMA).iter_errors(broken)) != []


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_is_there_or_is_a_volume(service: str) -> None:
    for source, _, mode in mounts(service):
        if source.startswith("."):
            assert (FILE.parent / source).exists()
            assert mode == "ro"
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_reached_from_this_machine_alone(service: str) -> None:
    for port in SERVICES[service]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:([0-9]+):\1", port)


@pytest.mark.parametrize("service", SERVICES)
def test_services_have_no_more_rights_than_they_need(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "exporter"])
def test_images_are_of_a_version(service: str) -> None:
    assert re.fullmatch(r"docker\.io/\w+/\w+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


def test_the_exporter_is_the_demo_on_the_port_that_prometheus_scrapes() -> None:
    assert SERVICES["exporter"]["command"] == ["${DOCUSAGE_COMMAND:-demo}"]
    assert SERVICES["exporter"]["build"] == {"context": ".."}
    (port,) = SERVICES["exporter"]["ports"]
    scraped = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in settings("deploy/compose/prometheus.yml")["scrape_configs"]
    }
    assert scraped["docusage"] == ["exporter:10086"]
    assert port.endswith(":10086")


def test_the_services_ask_each_other() -> None:
    (alertmanager,) = settings("deploy/compose/prometheus.yml")["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    (source,) = settings("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = settings("grafana/provisioning/dashboards/docusage.yaml")["providers"]
    places = {place: source for source, place, _ in mounts("grafana")}
    assert places[provider["options"]["path"]] == "../grafana/dashboards"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "grafana" / "dashboards" / home.removeprefix("/etc/grafana/docusage/")).exists()


@pytest.mark.e2e
def test_prometheus_takes_its_configuration_and_the_rules(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "compose" / "prometheus.yml").read_text(encoding="utf-8")
    here = tmp_path / "prometheus.yml"
    here.write_text(
        text.replace("/etc/prometheus/rules", str(ROOT / "prometheus" / "rules")), encoding="utf-8"
    )
    command = [program("promtool"), "check", "config", str(here)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 3 rule files found" in done.stdout
