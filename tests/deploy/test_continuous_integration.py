"""The workflow runs what the classifiers promise, by the command that runs anywhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from interpreters import promised
from yaml_text import parsed

ROOT = Path(__file__).parent.parent.parent
WORKFLOW: dict[str, Any] = parsed((ROOT / ".github/workflows/ci.yml").read_text())
JOBS: dict[str, Any] = WORKFLOW["jobs"]


def made(*targets: str) -> str:
    """What .ci/run would do."""
    # `make test-others VERSIONS=3.14` may have started this test: neither setting is its own.
    environ = os.environ | {"MAKEFLAGS": "n", "VERSIONS": ""}
    done = subprocess.run(  # noqa: S603  our own program
        [ROOT / ".ci" / "run", *targets],
        capture_output=True,
        check=True,
        env=environ,
        text=True,
    )
    return done.stdout


def test_the_workflow_runs_every_version_that_the_classifiers_name() -> None:
    versions = JOBS["python"]["strategy"]["matrix"]["python"]
    assert tuple(versions) == promised((ROOT / "pyproject.toml").read_text())


def test_every_job_of_the_workflow_calls_the_same_command_as_everybody() -> None:
    calls = [
        step["run"]
        for job in JOBS.values()
        for step in job["steps"]
        if step.get("run", "").startswith(".ci/run")
    ]
    assert calls == [".ci/run test-one", ".ci/run test-lowest", ".ci/run focus"]


def test_without_arguments_everything_runs() -> None:
    assert "coverage run -m pytest" in made()
    assert "interpreters.py \n" in made()


def test_one_job_does_not_repeat_the_work_of_another() -> None:
    assert "interpreters.py" not in made("test-one")
    assert "interpreters.py lowest" in made("test-lowest")
    assert "coverage run -m pytest" not in made("test-lowest")
