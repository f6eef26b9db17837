"""Flags in the style of Prometheus's exporters, each also an environment variable."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exporter import logging
from exporter.app import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BOOLEAN_FLAGS: Final = frozenset(
    {"-h", "--help", "--version", "--config.check", "--config.enable-auto-reload", "--no-secrets"}
)
"""The flags without a value, which is needed to find the command among the arguments."""
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}
_LEVEL_ALIASES: Final = {"warning": "warn"}
_VERSION_TEXT: Final = f"docusage-exporter, version {VERSION}\n  python version: {{python}}"


class Parser(argparse.ArgumentParser):
    """The flags of a command, those of every command included.

    Args:
        command: its name, or empty for the program itself.
        description: what it does.
        environ: environment variables, which give flags their defaults.
        epilog: the end of its help.
    """

    def __init__(
        self, command: str, description: str, environ: Mapping[str, str], epilog: str | None = None
    ) -> None:
        super().__init__(
            prog=f"docusage-exporter {command}".strip(),
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        self._environ = environ
        self._defaults: dict[str, Any] = {}
        self.add_argument(
            "--version",
            action="version",
            version=_VERSION_TEXT.format(python=platform.python_version()),
        )
        self.flag(
            "log.level",
            "info",
            "log only messages of this level and above",
            choices=logging.LEVELS,
            type=lambda text: _LEVEL_ALIASES.get(text, text),
            metavar=None,
        )
        self.flag(
            "log.format", "logfmt", "format of log lines", choices=[*logging.FORMATS], metavar=None
        )

    def flag(self, name: str, default: str, description: str, **options: Any) -> None:  # noqa: ANN401  argparse's own
        """A flag with a value; an empty environment variable counts as unset."""
        self._defaults[name] = self._from_environment(name) or default
        description = f"{description} (default: {default or 'none'})"
        options = {"metavar": "VALUE"} | options
        self.add_argument(f"--{name}", dest=name, help=description, **options)

    def repeated_flag(self, name: str, default: str, description: str) -> None:
        """A flag that may be repeated; its environment variable separates values by commas."""
        self.flag(name, default, f"{description}; may be repeated", action="append")
        self._defaults[name] = (self._from_environment(name) or default).split(",")

    def boolean_flag(self, name: str, description: str) -> None:
        """A flag without a value; its environment variable is true, 1, false, 0 or empty."""
        self._defaults[name] = _BOOLEANS.get(self._from_environment(name).lower())
        self.add_argument(f"--{name}", dest=name, help=description, action="store_true")

    def config_flag(self) -> None:
        """`--config.file`."""
        self.flag("config.file", "config.yaml", "the configuration")

    def target_arguments(self) -> None:
        """The names of the targets to which the command is limited."""
        self.add_argument("targets", nargs="*", metavar="TARGET", help="default: every target")

    def _from_environment(self, name: str) -> str:
        return self._environ.get(_variable(name), "")

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Every flag's value by name; also sets up logging."""
        given = vars(self.parse_args(arguments))
        values = self._defaults | given
        # argparse checks what is given, but not the defaults from the environment.
        for action in self._actions:
            name = action.dest
            if name not in self._defaults or name in given:
                continue
            if action.const is True and values[name] is None:
                self.error(f"{_variable(name)} must be true or false")
            if action.type and callable(action.type):
                values[name] = action.type(values[name])
            if action.choices and values[name] not in action.choices:
                self.error(f"{_variable(name)} must be one of {', '.join(action.choices)}")
        logging.set_up(values["log.level"], values["log.format"])
        return values


def path_or_none(value: str) -> Path | None:
    """The path in a flag's value, or None if it is empty."""
    return Path(value) if value else None


def _variable(name: str) -> str:
    """The environment variable of a flag."""
    return "DOCUSAGE_" + name.upper().replace(".", "_").replace("-", "_")
