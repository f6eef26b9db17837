"""The README agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


def test_every_runtime_dependency_has_its_reason() -> None:
    project = (README.parent / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert block
    for name in re.findall(r'"([a-z0-9-]+)', block[1]):
        assert f"\n| {name} |" in TEXT


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", TEXT))
def test_every_link_to_a_file_leads_somewhere(target: str) -> None:
    assert (README.parent / target).exists()
