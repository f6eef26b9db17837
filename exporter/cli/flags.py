"""Flags in the style of Prometheus's exporters, each also an environment variable."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from exporter import logging

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BOOLEAN_FLAGS: Final = frozenset(
    {"-h", "--help", "--version", "--config.check", "--config.enable-auto-reload"}
    | {"--no-secrets", "--anonymize"}
)
"""The flags without a value: needed to find the command among the arguments."""
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


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
        self._flag_defaults: dict[str, Any] = {}
        self.add_argument("--version", action="store_true", help="print the version")
        self.flag(
            "log.level",
            "info",
            "log messages of this level and above",
            choices=logging.LEVELS,
            type=lambda text: "warn" if text == "warning" else text,
            metavar=None,
        )
        self.flag(
            "log.format", "logfmt", "format of log lines", choices=[*logging.FORMATS], metavar=None
        )

    def flag(self, name: str, default: str, description: str, **options: Any) -> None:  # noqa: ANN401  argparse's own
        """A flag with a value; an empty environment variable counts as unset."""
        convert = options.get("type", str)
        self._flag_defaults[name] = convert(self._from_environment(name) or default)
        description = f"{description} (default: {default or 'none'})"
        options = {"metavar": "VALUE"} | options
        self.add_argument(f"--{name}", dest=name, help=description, **options)

    def repeated_flag(self, name: str, default: str, description: str) -> None:
        """A flag that may be repeated; its environment variable separates values by commas."""
        self.flag(name, default, f"{description}; may be repeated", action="append")
        self._flag_defaults[name] = (self._from_environment(name) or default).split(",")

    def boolean_flag(self, name: str, description: str) -> None:
        """A flag without a value; its environment variable is true, 1, false, 0 or empty."""
        self._flag_defaults[name] = _BOOLEANS.get(self._from_environment(name).lower())
        self.add_argument(f"--{name}", dest=name, help=description, action="store_true")

    def config_flag(self) -> None:
        """The configuration file."""
        self.flag("config.file", "config.yaml", "the configuration")

    def target_arguments(self) -> None:
        """The names of the targets to which a command is limited."""
        self.add_argument("targets", nargs="*", metavar="TARGET", help="default: every target")

    def web_flags(self, default_address: str) -> None:
        """The flags of a command that serves."""
        self.repeated_flag("web.listen-address", default_address, "address to serve on")
        self.flag("web.telemetry-path", "/metrics", "path of the metrics")
        description = "TLS, users and headers, in the format of Prometheus's exporters"
        self.flag("web.config.file", "", description)
        self.flag("web.external-url", "", "URL under which a reverse proxy serves the exporter")
        description = "prefix of every path, instead of the path of the external URL"
        self.flag("web.route-prefix", "", description)

    def _from_environment(self, name: str) -> str:
        return self._environ.get(_variable(name), "")

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Every flag's value by name; sets up logging.

        Raises:
            SystemExit: 2 for misuse; 0 after the help or the version.
        """
        flags = self._flag_defaults | vars(self.parse_args(arguments))
        if "version" in flags:
            print(version_text())
            self.exit()
        # argparse checks what is given, but not the defaults from the environment.
        for action in self._actions:
            if action.const is True and flags.get(action.dest, False) is None:
                self.error(f"{_variable(action.dest)} must be true or false")
            if action.choices and flags[action.dest] not in action.choices:
                self.error(f"{_variable(action.dest)} must be one of {', '.join(action.choices)}")
        logging.set_up(flags["log.level"], flags["log.format"])
        return flags

    def route_prefix(self, flags: Mapping[str, Any]) -> str:
        """The prefix of every path that the web flags set, without a slash at its end."""
        url = flags["web.external-url"]
        try:
            external = urlsplit(url)
        except ValueError:
            external = urlsplit("")
        if url and not (external.scheme and external.netloc):
            self.error("invalid --web.external-url; expected https://example.com/docusage")
        prefix = (flags["web.route-prefix"] or external.path).strip("/")
        return f"/{prefix}" if prefix else ""


def version_text() -> str:
    """Version, revision and Python, as the official exporters print theirs."""
    from exporter.app import VERSION  # noqa: PLC0415  loads all that serves
    from exporter.metrics.build_info import build_info  # noqa: PLC0415  as above

    version, revision, python = build_info(VERSION).labels
    return (
        f"docusage-exporter, version {version} (revision: {revision})\n  python version: {python}"
    )


def _variable(name: str) -> str:
    """The environment variable of a flag."""
    return "DOCUSAGE_" + name.upper().replace(".", "_").replace("-", "_")
