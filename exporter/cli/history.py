"""What the commands that read the vendors' history have in common."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.app import USER_AGENT, load_config
from exporter.client.client import HttpClient
from exporter.history.options import FlagError
from exporter.history.progress import Progress
from exporter.history.reader import HistoryReader
from exporter.polling.limits import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from exporter.backfill.options import BackfillOptions
    from exporter.cli.flags import Parser
    from exporter.config.models import Target
    from exporter.reports.options import ReportOptions


_O = TypeVar("_O", "BackfillOptions", "ReportOptions")


def parse(
    parser: Parser,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    parse_options: Callable[[Mapping[str, Any], Sequence[Target], date], _O],
) -> tuple[_O, HistoryReader, datetime]:
    """The options of a command, what reads the history of their targets, and the time.

    Args:
        parser: the command's.
        arguments: the command line.
        environ: environment variables.
        parse_options: makes the options of the flags, the configured targets, and the current day
            in UTC; raises a `FlagError` for misuse.
    """
    flags = parser.parse(arguments)
    config = load_config(Path(flags["config.file"]), environ, is_pipe_allowed=True)
    now = datetime.now(UTC)
    try:
        options = parse_options(flags, config.targets, now.date())
    except FlagError as error:
        parser.error(str(error))
    rate_limiter = RateLimiter(config.poll.requests_per_second)
    progress = Progress(len(options.targets), sys.stderr)
    return options, HistoryReader(HttpClient(USER_AGENT), rate_limiter, progress), now
