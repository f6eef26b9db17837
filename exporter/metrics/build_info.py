"""What identifies this build of the exporter."""

from __future__ import annotations

from pathlib import Path
from platform import python_version
from typing import Final

from exporter.metrics.catalogue import BUILD
from exporter.model import Sample

REVISION_FILE: Final = Path(__file__).parent.parent / "revision.txt"
"""The commit the package was built from, as `hatch_build.py` records it."""


def build_info(version: str, revision_file: Path = REVISION_FILE) -> Sample:
    """The sample with the exporter's version, its source revision and Python's version."""
    try:
        revision = revision_file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        revision = "unknown"
    return Sample(BUILD, (version, revision, python_version()), 1)
