"""Every capture in tests/data/captures gives the expected results.

A capture of a bug report becomes a test by copying its folder: see CONTRIBUTING.md.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from capture_results import CAPTURES, results, write_results

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner


@pytest.mark.parametrize("capture", sorted(CAPTURES.iterdir()), ids=lambda path: path.name)
def test_a_capture_gives_the_expected_results(capture: Path) -> None:
    expected = {name: (capture / name).read_text(encoding="utf-8") for name in results(capture)}
    assert results(capture) == expected, "look at the difference, then run `make captures`"


@pytest.mark.parametrize("capture", sorted(CAPTURES.iterdir()), ids=lambda path: path.name)
def test_an_anonymous_capture_gives_the_same_figures(
    run_cli: CliRunner, capture: Path, tmp_path: Path
) -> None:
    path = tmp_path / "anonymous"
    run_cli("probe", f"--replay={capture}", f"--capture={path}", "--anonymize")
    assert values(results(path)["expected.prom"]) == values(results(capture)["expected.prom"])


def values(samples: str) -> list[str]:
    """The values of samples, in their order, with the metrics' names."""
    return [f"{line.partition('{')[0]} {line.rpartition(' ')[2]}" for line in samples.splitlines()]


def test_results_are_written_into_the_folder_of_each_capture(tmp_path: Path) -> None:
    name = "failures-on-the-wire"
    shutil.copytree(CAPTURES / name, tmp_path / name, ignore=shutil.ignore_patterns("expected*"))
    write_results(tmp_path)
    written = {path.name: path.read_text() for path in (tmp_path / name).glob("expected*")}
    assert written == results(CAPTURES / name)
