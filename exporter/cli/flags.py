"""Flags as Prometheus's exporters have them, each also an environment variable."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from exporter import logging

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SWITCHED: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


class Parser(argparse.ArgumentParser):
    """A command's flags, those for logging included.

    Args:
        command: its name; none for the program itself.
        words: what it does, for its help.
        environ: environment variables, which give flags their defaults.
        epilog: what stands at the end of its help.
    """

    def __init__(
        self, command: str, words: str, environ: Mapping[str, str], epilog: str | None = None
    ) -> None:
        super().__init__(
            prog=f"docusage-exporter {command}".strip(),
            description=words,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        self._environ = environ
        self._otherwise: dict[str, Any] = {}
        self.flag(
            "log.level", "info", "log this level and above", choices=logging.LEVELS, metavar=None
        )
        self.flag(
            "log.format", "logfmt", "form of log lines", choices=[*logging.FORMATS], metavar=None
        )

    def flag(self, name: str, default: str, words: str, **more: Any) -> None:  # noqa: ANN401  argparse's own
        """A flag with a value; an empty environment variable is none."""
        self._otherwise[name] = self._said(name) or default
        words = f"{words} (default: {default or 'none'})"
        self.add_argument(f"--{name}", dest=name, help=words, **({"metavar": "VALUE"} | more))

    def repeated_flag(self, name: str, default: str, words: str) -> None:
        """A flag that may be given several times; its variable has commas between the values."""
        self.flag(name, default, f"{words}; may be repeated", action="append")
        self._otherwise[name] = (self._said(name) or default).split(",")

    def switch(self, name: str, words: str) -> None:
        """A flag without a value; its variable is true or 1, or else false, 0 or empty."""
        self._otherwise[name] = _SWITCHED.get(self._said(name).lower())
        self.add_argument(f"--{name}", dest=name, help=words, action="store_true")

    def _said(self, name: str) -> str:
        """What the flag's environment variable says."""
        return self._environ.get(_variable(name), "")

    def values(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Every flag's value, by its name; logging is set up on the way."""
        found = self._otherwise | vars(self.parse_args(arguments))
        # argparse knows what is given, but not what the environment says.
        for action in self._actions:
            if action.const is True and found[action.dest] is None:
                self.error(f"{_variable(action.dest)} must be true or false")
            if action.choices and found[action.dest] not in action.choices:
                self.error(f"{action.dest} must be one of {', '.join(action.choices)}")
        logging.set_up(found["log.level"], found["log.format"])
        return found


def _variable(name: str) -> str:
    """The environment variable of a flag."""
    return "DOCUSAGE_" + name.upper().replace(".", "_").replace("-", "_")
