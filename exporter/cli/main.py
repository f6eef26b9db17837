"""The command line: finds the command among the arguments and runs it."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

from exporter.capture.errors import CaptureError
from exporter.cli.flags import BOOLEAN_FLAGS
from exporter.cli.output import escape_unencodable
from exporter.config.errors import ConfigError
from exporter.polling.sharding import ShardError
from exporter.server.sockets import AddressError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMANDS: Final = ("serve", "check", "probe", "backfill", "report", "demo", "schema", "healthcheck")
"""Each is a module of its own: `run(arguments, environ)` gives the exit status; None is 0."""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit status: 0 for success, 1 for failure, 2 for misuse.

    Raises:
        SystemExit: by argparse: 2 for misuse, 0 after `--help` or `--version`.
    """
    escape_unencodable()
    name, rest = split_command(arguments)
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1) or [", ".join(COMMANDS)]
        print(f'unknown command "{name}"; expected {close[0]}', file=sys.stderr)
        return 2
    try:
        # Imported here, so that no command loads what only others need.
        return int(import_module(f"exporter.cli.{name}").run(rest, environ) or 0)
    except ConfigError as error:
        print(f"invalid configuration:\n{error}", file=sys.stderr)
    except (AddressError, CaptureError, ShardError, OSError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        pass
    return 1


def split_command(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command and the other arguments; flags may stand before it. Without one, `serve`."""
    is_value = False
    for index, argument in enumerate(arguments):
        if not is_value and not argument.startswith("-"):
            return argument, [*arguments[:index], *arguments[index + 1 :]]
        is_value = not is_value and "=" not in argument and argument not in BOOLEAN_FLAGS
    return "serve", list(arguments)
