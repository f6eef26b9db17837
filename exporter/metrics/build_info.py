"""What identifies this build of the exporter."""

from __future__ import annotations

from importlib.resources import files
from platform import python_version

from exporter.metrics.catalogue import BUILD
from exporter.model import Sample


def build_info(version: str) -> Sample:
    """The sample with the exporter's version, its source revision and Python's version."""
    return Sample(BUILD, (version, _revision(), python_version()), 1)


def _revision() -> str:
    """The commit that the package was built from, as `hatch_build.py` has recorded it."""
    recorded = files("exporter") / "revision.txt"
    return recorded.read_text("ascii").strip() if recorded.is_file() else "unknown"
