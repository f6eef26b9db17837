"""How the tests find Python versions and report them."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path

import interpreters
import pytest
from interpreters import (
    Counts,
    NotRunError,
    Report,
    candidates,
    command,
    counts,
    debian_source,
    find,
    promised,
    run,
    run_tests,
    status,
    version_of,
)

HERE = Path(sys.executable)
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
PASSED = Report("Python 3.11.2", Counts(passed=3))
NOT_RUN = Report("Python 3.14", reason="not at hand")


def shim(path: Path, script: str) -> Path:
    """A program that a shell runs."""
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_versions_are_those_of_the_classifiers() -> None:
    classifiers = """
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.14",
        "Typing :: Typed",
    """
    assert promised(f"[project]\nclassifiers = [{classifiers}]") == ("3.11", "3.14")


def test_every_minor_version_from_the_lowest_that_can_be_installed_is_promised() -> None:
    project = (interpreters.ROOT / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.11"' in project
    assert promised(project) == ("3.11", "3.12", "3.13", "3.14")


def test_this_interpreter_stands_for_its_own_version() -> None:
    assert find(OWN, {}) == HERE
    assert version_of(HERE) == platform.python_version()


def test_an_interpreter_is_found_on_path_before_pyenv(tmp_path: Path) -> None:
    on_path = shim(tmp_path / "bin" / "python4.2", "echo 4.2.1")
    shim(tmp_path / ".pyenv" / "versions" / "4.2.0" / "bin" / "python4.2", "echo 4.2.0")
    assert find("4.2", {"PATH": str(on_path.parent), "HOME": str(tmp_path)}) == on_path


def test_an_interpreter_is_found_in_pyenv(tmp_path: Path) -> None:
    path = shim(tmp_path / "versions" / "4.2.0" / "bin" / "python4.2", "echo 4.2.0")
    assert find("4.2", {"PYENV_ROOT": str(tmp_path)}) == path


@pytest.mark.parametrize(
    "script",
    ["echo 'pyenv: python4.2: command not found' >&2; exit 127", "echo 4.20.1"],
    ids=["fails", "is another version"],
)
def test_an_interpreter_that_is_not_of_the_version_is_passed_over(
    tmp_path: Path, script: str
) -> None:
    path = shim(tmp_path / "bin" / "python4.2", script)
    environ = {"PATH": str(path.parent), "HOME": str(tmp_path)}
    assert path in candidates("4.2", environ)
    assert find("4.2", environ) is None


def test_a_version_that_nothing_has_is_reported_as_not_run() -> None:
    report = run("4.2", ["4.2"], {"PATH": ""})
    assert str(report) == (
        "Python 4.2: NOT RUN: no interpreter on PATH or in pyenv, and no Debian suite has it"
    )
    assert not report.is_at_hand


def test_a_version_whose_dependencies_cannot_be_installed_is_at_hand_but_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(interpreter: Path, name: str) -> Path:
        raise NotRunError(f"uv: no wheel for {name} of {interpreter.name}")

    monkeypatch.setattr(interpreters, "environment", fail)
    report = run("lowest", [OWN, "4.2"], {})
    assert str(report) == (
        f"Python {platform.python_version()}, lowest dependencies: "
        f"NOT RUN: uv: no wheel for lowest of {HERE.name}"
    )
    assert report.is_at_hand


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-program"], "no-such-program is not installed"),
        (["sh", "-c", "echo first >&2; echo last >&2; exit 1"], "sh: last"),
        (["sh", "-c", "exit 1"], "sh: failed"),
        (["sleep", "60"], "sleep did not finish within 0 seconds"),
    ],
)
def test_a_command_that_fails_is_the_reason_for_not_running(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(NotRunError) as caught:
        command(*arguments, timeout=0.3)
    assert str(caught.value) == message


def test_the_output_of_a_command_is_its_result() -> None:
    assert command("echo", "one") == "one\n"


def test_another_suite_comes_from_the_archive_that_apt_uses() -> None:
    targets = """\
Other main stable https://other.example/debian
Debian main bookworm-updates http://archive.example/debian/
Debian contrib bookworm http://archive.example/debian/
Debian main bookworm http://archive.example/debian/
"""
    assert debian_source(targets, "sid") == "deb http://archive.example/debian/ sid main\n"
    with pytest.raises(NotRunError, match="apt has no Debian archive among its sources"):
        debian_source("Other main stable https://other.example/debian\n", "sid")


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("20 passed, 3 deselected in 3.00s", Counts(20)),
        ("1 failed, 20 passed, 2 skipped in 3.00s", Counts(20, 1, 2)),
        ("3 failed, 5 passed, 2 errors in 9.00s (0:00:09)", Counts(5, 5, 0)),
        ("1 error in 0.40s", Counts(0, 1, 0)),
        ("no tests ran in 0.10s", Counts()),
    ],
)
def test_the_last_line_of_pytest_is_counted(last: str, expected: Counts) -> None:
    assert counts(f"2 failed, which is not the last line\n{last}\n") == expected


def test_a_version_that_passes_has_one_line() -> None:
    report = run_tests("Python 4.2.0", HERE, ["-c", "print('20 passed in 3.00s')"])
    assert report.counts == Counts(20)
    assert str(replace(report, seconds=64.4)) == (
        "Python 4.2.0: 20 passed, 0 failed, 0 skipped in 64 s"
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('why\\n1 failed, 20 passed in 3.00s'); exit(1)", Counts(20, 1)),
        ("import os; print('why', flush=True); os.abort()", Counts(0, 1)),
    ],
    ids=["a test fails", "the interpreter crashes"],
)
def test_a_version_that_fails_shows_why(code: str, expected: Counts) -> None:
    report = run_tests("Python 4.2.0", HERE, ["-c", code])
    assert report.counts == expected
    assert str(report).startswith("why\n")
    assert status([report], must_run=False, must_run_at_hand=False) == 1


def test_tests_that_hang_fail() -> None:
    report = run_tests("Python 4.2.0", HERE, ["-c", "import time; time.sleep(60)"], timeout=0.3)
    assert str(report) == (
        "The tests did not finish within 0 seconds.\n"
        "Python 4.2.0: 0 passed, 1 failed, 0 skipped in 0 s"
    )


def test_a_version_that_was_not_run_fails_where_it_must_run() -> None:
    at_hand = Report("Python 3.12", reason="uv: no network", is_at_hand=True)
    assert status([PASSED, NOT_RUN, at_hand], must_run=False, must_run_at_hand=False) == 0
    assert status([PASSED, NOT_RUN], must_run=False, must_run_at_hand=True) == 0
    assert status([PASSED, at_hand], must_run=False, must_run_at_hand=True) == 1
    assert status([PASSED, NOT_RUN], must_run=True, must_run_at_hand=False) == 1


def test_no_test_at_all_is_a_failure() -> None:
    assert status([NOT_RUN], must_run=False, must_run_at_hand=False) == 1
