"""`check`: validates the configuration and reports every problem at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter.app import load_config
from exporter.cli.flags import Parser
from exporter.cli.output import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.config.loader import KeyCheck


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; its exit status."""
    parser = Parser("check", "Validate the configuration and report every problem.", environ)
    parser.config_flag()
    parser.boolean_flag("no-secrets", "do not check that the keys can be read")
    parser.add_argument("file", nargs="?", help="instead of --config.file")
    flags = parser.parse(arguments)
    path = Path(flags.get("file") or flags["config.file"])
    return check(path, environ, "ignored" if flags["no-secrets"] else "required")


def check(path: Path, environ: Mapping[str, str], keys: KeyCheck = "required") -> int:
    """Validate a configuration; the exit status.

    Raises:
        ConfigError: it is invalid.
    """
    config = load_config(path, environ, keys=keys, is_pipe_allowed=True)
    count = len(config.targets)
    write(f"{path} is valid: {count} target{'s' if count > 1 else ''}")
    return 0
