"""Validate the FOCUS files of the demo's targets with the FinOps Foundation's own validator.

It needs Python 3.12, so it has an environment of its own, from `tests/focus.lock`. It reads its
rules relative to the working directory, so it is started in its site-packages.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from exporter_process import served
from interpreters import ROOT, command, fetch, find
from own_thread import in_own_thread

from exporter.cli.main import run
from exporter.demo.scenario import demo_accounts, demo_config
from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PYTHON: Final = "3.12"
LOCK: Final = ROOT / "tests" / "focus.lock"
FOLDER: Final = ROOT / "build" / "focus"
VERSION: Final = "1.2.0.1"
# What a file like ours has, so that the rules about it apply. Left out are criteria whose rules
# need columns for things that no vendor here has (commitment discounts, details of price lists),
# and those of virtual currencies, which the validator takes for ISO codes.
CRITERIA: Final = (
    *("ACCOUNT_NAMING_SUPPORTED", "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED"),
    *("MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED", "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED"),
    *("REGION_SUPPORTED", "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED", "SUB_ACCOUNT_SUPPORTED"),
    "TAGGING_SUPPORTED",
)
TARGETS: Final = ("acme-eu", "acme-us", "acme-logistics", "acme-nz", "acme-pacific")
BY: Final = ("workspace", "document-type")
_RESULT: Final = re.compile(r"^\S+ (\w+-\w+-\d+-\w): (PASS|FAIL)\b", re.MULTILINE)


def failures(output: str, model: Mapping[str, Any]) -> Iterator[str]:
    """The rules that fail.

    Where a rule demands one of several others, and the validator says that it holds, those that do
    not hold are no failures: that an invoice id is null, and that it is not.

    Args:
        output: the validator's.
        model: the rules.
    """
    results = dict(_RESULT.findall(output))
    alternatives = {
        item.get("ModelRuleId")
        for name, rule in model["ModelRules"].items()
        if results.get(name) == "PASS"
        for requirement in [rule["ValidationCriteria"]["Requirement"]]
        if requirement.get("CheckFunction") == "OR"
        for item in requirement["Items"]
    }
    for name, result in results.items():
        if result == "FAIL" and name not in alternatives:
            yield name


def count_passes(output: str) -> int:
    """How many rules hold."""
    return sum(result == "PASS" for _, result in _RESULT.findall(output))


def environment() -> Path:  # pragma: no cover  needs Python 3.12
    """The validator's environment, built from the lock file; gives its site-packages."""
    interpreter = find(PYTHON, os.environ) or fetch(PYTHON)
    uv = Path(sys.executable).with_name("uv")
    command(uv, "venv", "--quiet", "--clear", "--python", interpreter, FOLDER)
    install = ("pip", "install", "--quiet", "--python", FOLDER / "bin" / "python")
    command(uv, *install, "--require-hashes", "--requirements", LOCK)
    return FOLDER / "lib" / f"python{PYTHON}" / "site-packages"


def write_files(folder: Path) -> list[Path]:
    """The demo's targets from the start of the last year on, by each axis, as FOCUS files."""
    now = datetime.now(UTC)
    accounts = demo_accounts(lambda: now)
    first = now.date().replace(month=1, day=1)
    files = [folder / f"{by}.csv" for by in BY]
    with served(Vendors(accounts)) as url:
        config = folder / "config.yaml"
        fast = "interval: 15s, requests_per_second: 1000"
        text = demo_config(accounts, url).replace("interval: 15s", fast)
        config.write_text(text, encoding="utf-8")
        for by, file in zip(BY, files, strict=True):
            flags = (
                f"--from={first.replace(year=first.year - 1)}",
                f"--by={by}",
                f"--output={file}",
            )
            invoices = (f"--invoice-id={target}=INV-{target}" for target in TARGETS)
            command_line = (
                f"--config.file={config}",
                "--format=focus",
                *flags,
                *invoices,
                *TARGETS,
            )
            assert in_own_thread(run, ["report", *command_line], {}) == 0
    return files


def validate(file: Path, packages: Path) -> str:  # pragma: no cover  as `environment`
    """What the validator prints about a file."""
    done = subprocess.run(  # noqa: S603  the validator's own command
        [
            *(FOLDER / "bin" / "focus-validator", "--data-file", file, "--show-violations"),
            *("--validate-version", VERSION, "--block-download"),
            *("--applicability-criteria", ",".join(CRITERIA)),
        ],
        capture_output=True,
        check=True,
        cwd=packages,
        text=True,
        timeout=300,
    )
    return done.stdout


def main() -> int:  # pragma: no cover  as `environment`
    """Report each file on a line of its own; the exit status."""
    packages = environment()
    rules = packages / "focus_validator" / "rules" / f"model-{VERSION}.json"
    model = json.loads(rules.read_text(encoding="utf-8"))
    failed = False
    with TemporaryDirectory() as folder:
        for file in write_files(Path(folder)):
            output = validate(file, packages)
            found, passes = list(failures(output, model)), count_passes(output)
            rows = len(file.read_text(encoding="utf-8").splitlines()) - 1
            print(f"{file.stem}: {rows} rows, {passes} rules hold, {len(found)} fail")  # noqa: T201
            if found or not passes:
                print(output)  # noqa: T201  which rules, and where
                failed = True
    return int(failed)


if __name__ == "__main__":  # pragma: no cover  as `environment`
    sys.exit(main())
