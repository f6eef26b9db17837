"""Records the source revision in what hatchling builds, for `docusage_exporter_build_info`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_RECORD: Final = "build/revision.txt"
_IN_WHEEL: Final = "exporter/revision.txt"


class RevisionHook(BuildHookInterface[BuilderConfig]):
    """Adds a file with the commit: `$REVISION`, else that of git."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel or an sdist is built."""
        if version == "editable":
            return
        record, is_sdist = Path(self.root, _RECORD), Path(self.root, "PKG-INFO").exists()
        if not is_sdist:  # which has its record, and no git
            record.parent.mkdir(exist_ok=True)
            record.write_text(f"{self._revision()}\n", encoding="ascii")
        target = _RECORD if self.target_name == "sdist" else _IN_WHEEL
        build_data["force_include"][str(record)] = target

    def _revision(self) -> str:
        if given := os.environ.get("REVISION"):
            return given
        git = ("git", "-C", self.root, "rev-parse", "HEAD")
        try:
            done = subprocess.run(git, capture_output=True, text=True, check=True)  # noqa: S603  our own words
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
        return done.stdout.strip()
