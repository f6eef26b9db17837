"""What `make release` leaves in dist/."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from kubernetes_tools import tool
from programs import program
from referencing import Registry, Resource
from sbom import Package, packages, sbom

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parent.parent.parent
LOCK = (ROOT / "deploy" / "requirements.lock").read_text(encoding="utf-8")
PROJECT = {"name": "app", "version": "1.0", "description": "An app.", "license": "Apache-2.0"}
MOMENT = datetime(2026, 11, 18, 12, tzinfo=UTC)
A, B = "a" * 64, "b" * 64
SMALL = f"""\
left==1.2 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via
    #   app (pyproject.toml)
    #   right
right-one==3.4.post1 ; sys_platform == 'linux' \\
    --hash=sha256:{B}
    # via app (pyproject.toml)
"""


def test_a_lock_file_says_what_is_needed_and_by_whom() -> None:
    assert list(packages(SMALL)) == [
        Package("left", "1.2", (A, B), ("app", "right")),
        Package("right-one", "3.4.post1", (B,), ("app",)),
    ]


def test_every_line_of_the_real_lock_file_is_understood() -> None:
    locked = list(packages(LOCK))
    assert len(locked) == len(re.findall(r"^[a-z]", LOCK, re.MULTILINE))
    assert sum(len(package.hashes) for package in locked) == LOCK.count("--hash=")
    known = {package.name for package in locked} | {"docusage-exporter"}
    assert all(package.needed_by and known >= set(package.needed_by) for package in locked)


def test_a_bill_of_materials_tells_what_depends_on_what() -> None:
    document = sbom(PROJECT, list(packages(SMALL)), MOMENT)
    assert [component["purl"] for component in document["components"]] == [
        "pkg:pypi/left@1.2",
        "pkg:pypi/right-one@3.4.post1",
    ]
    assert document["dependencies"] == [
        {
            "ref": "pkg:pypi/app@1.0",
            "dependsOn": ["pkg:pypi/left@1.2", "pkg:pypi/right-one@3.4.post1"],
        },
        {"ref": "pkg:pypi/left@1.2", "dependsOn": []},
        {"ref": "pkg:pypi/right-one@3.4.post1", "dependsOn": []},
    ]
    assert document["metadata"]["timestamp"] == "2026-11-18T12:00:00+00:00"


def test_a_bill_of_materials_is_the_same_for_the_same_release_alone() -> None:
    document = sbom(PROJECT, list(packages(SMALL)), MOMENT)
    assert document == sbom(PROJECT, list(packages(SMALL)), MOMENT)
    other = sbom({**PROJECT, "version": "1.1"}, list(packages(SMALL)), MOMENT)
    assert document["serialNumber"] != other["serialNumber"]


def validator() -> Draft7Validator:
    """CycloneDX's own schema."""
    text = (ROOT / "tests" / "data" / "cyclonedx.json").read_text(encoding="utf-8")
    main, *others = json.loads(text)["schemas"]
    registry: Registry[Any] = Registry().with_resources(
        (
            schema["$id"].replace(".schema.json", ".SNAPSHOT.schema.json"),
            Resource.from_contents(schema),
        )
        for schema in others
    )
    return Draft7Validator(main, registry=registry)


def test_a_bill_of_materials_is_what_cyclonedx_says() -> None:
    document = sbom(PROJECT, list(packages(LOCK)), MOMENT)
    assert [error.message for error in validator().iter_errors(document)] == []
    config_error = {**document, "components": [{"type": "library"}], "serialNumber": "1"}
    assert len(list(validator().iter_errors(config_error))) == 2
    unknown = {**PROJECT, "license": "No-Such-Licence"}
    assert list(validator().iter_errors(sbom(unknown, [], MOMENT))) != []


def sums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release made with `make release`."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    command = [program("make"), "release", f"DIST={folder}", f"VENV={sys.prefix}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.e2e
def test_a_release_has_checksums_of_all_its_files(release: Path) -> None:
    listed = (release / "SHA256SUMS").read_text(encoding="utf-8")
    found = sums(release)
    del found["SHA256SUMS"]
    assert listed.splitlines() == [f"{found[name]}  {name}" for name in sorted(found)]
    assert {re.sub(r"[0-9]+\.[0-9]+\.[0-9]+", "VERSION", name) for name in found} == {
        "docusage_exporter-VERSION.tar.gz",
        "docusage_exporter-VERSION-py3-none-any.whl",
        "docusage-exporter.cdx.json",
        "docusage-exporter-VERSION.tgz",
    }


@pytest.mark.e2e
def test_the_chart_packaged_again_is_the_same_file(release: Path, tmp_path: Path) -> None:
    (chart,) = release.glob("docusage-exporter-*.tgz")
    with tarfile.open(chart) as archive:
        archive.extractall(tmp_path, filter="data")
        names = set(archive.getnames())
        moment = {member.mtime for member in archive.getmembers()}
    assert {"docusage-exporter/files/dashboards/docusage-overview.json"} <= names
    assert len(moment) == 1
    source, again = tmp_path / "docusage-exporter", tmp_path / "again"
    for path in source.rglob("*"):
        os.utime(path, (max(moment), max(moment)))
    command = [tool("helm"), "package", str(source), "--destination", str(again)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own words
    assert (again / chart.name).read_bytes() == chart.read_bytes()


@pytest.mark.e2e
def test_a_release_describes_itself(release: Path) -> None:
    document = json.loads((release / "docusage-exporter.cdx.json").read_text(encoding="utf-8"))
    assert [error.message for error in validator().iter_errors(document)] == []
    assert document["metadata"]["component"]["name"] == "docusage-exporter"
    assert len(document["components"]) == len(list(packages(LOCK)))


@pytest.mark.e2e
def test_the_wheel_holds_the_package_and_the_licence(release: Path) -> None:
    (wheel,) = release.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"exporter"}
    assert [name for name in names if name.endswith("/licenses/LICENSE")]


@pytest.mark.e2e
def test_the_wheel_records_the_commit_it_was_built_from(release: Path) -> None:
    (wheel,) = release.glob("*.whl")
    recorded = zipfile.ZipFile(wheel).read("exporter/revision.txt").decode()
    git = (program("git"), "-C", str(ROOT), "rev-parse", "HEAD")
    assert recorded == subprocess.run(git, capture_output=True, text=True, check=True).stdout  # noqa: S603  our own words


@pytest.mark.e2e
def test_another_folder_another_day_and_the_sdist_give_the_same_files(
    release: Path, tmp_path: Path
) -> None:
    (sdist,) = release.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
        moment = int(archive.getmembers()[0].mtime)
    (source,) = tmp_path.iterdir()
    for path in source.rglob("*"):
        os.utime(path, (0, 0))
    again = tmp_path / "again"
    hatchling = str(Path(sys.executable).with_name("hatchling"))
    command = [hatchling, "build", "--directory", str(again)]
    environ = {"SOURCE_DATE_EPOCH": str(moment), "PATH": os.environ["PATH"]}
    subprocess.run(command, cwd=source, env=environ, check=True, capture_output=True, umask=0o077)  # noqa: S603  our own words
    found, expected = sums(again), sums(release)
    shutil.rmtree(again)
    assert found.items() <= expected.items()
    assert len(found) == 2
