"""Records the source revision in what hatchling builds, for `docusage_exporter_build_info`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FILE: Final = "exporter/revision.txt"


class RevisionHook(BuildHookInterface[BuilderConfig]):
    """Adds a file with the commit: `$REVISION`, else that of git; an sdist has it already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel or an sdist is built."""
        if version == "editable" or Path(self.root, _FILE).exists():
            return
        file = Path(self.root, "build", "revision.txt")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{os.environ.get('REVISION') or self._commit()}\n", encoding="ascii")
        build_data["force_include"][str(file)] = _FILE

    def _commit(self) -> str:
        git = ("git", "-C", self.root, "rev-parse", "HEAD")
        try:
            done = subprocess.run(git, capture_output=True, text=True, check=True)  # noqa: S603  our own words
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
        return done.stdout.strip()
