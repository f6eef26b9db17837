"""What the README says of the code holds."""

from __future__ import annotations

import re

import pytest
from readme_tables import README, metrics_table, with_tables

TEXT = README.read_text(encoding="utf-8")


def test_the_table_of_metrics_is_the_catalogue() -> None:
    assert metrics_table() in TEXT
    assert with_tables(TEXT) == TEXT


def test_every_runtime_dependency_has_its_reason() -> None:
    project = (README.parent / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert block
    for name in re.findall(r'"([a-z0-9-]+)', block[1]):
        assert f"\n| {name} |" in TEXT


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", TEXT))
def test_every_link_to_a_file_leads_somewhere(target: str) -> None:
    assert (README.parent / target).exists()
