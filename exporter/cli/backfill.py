"""`backfill`: writes the vendors' history as OpenMetrics with timestamps."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.app import USER_AGENT, load_config
from exporter.backfill.options import DEFAULT_STEP, parse_options
from exporter.backfill.run import backfill, report
from exporter.cli.flags import Parser
from exporter.cli.output import write
from exporter.client.client import HttpClient
from exporter.history.flags import FlagError, vendors_without_history
from exporter.history.progress import Progress
from exporter.polling.limits import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.backfill.options import BackfillOptions


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; its exit status."""
    parser = Parser("backfill", "Write the vendors' history as OpenMetrics.", environ)
    parser.config_flag()
    parser.flag("start", "", "first day, such as 2026-01-31")
    parser.flag("end", "", "last day; by default yesterday (UTC)")
    parser.flag("step", DEFAULT_STEP, "time between two samples of a series")
    parser.flag("output", "docusage.om", "the file to write", metavar="FILE")
    description = "label that Prometheus adds to scraped series, such as job=docusage"
    parser.repeated_flag("label", "", description)
    parser.target_arguments()
    flags = parser.parse(arguments)
    config = load_config(Path(flags["config.file"]), environ, is_pipe_allowed=True)
    now = datetime.now(UTC)
    try:
        options = parse_options(flags, config.targets, now, vendors_without_history())
    except FlagError as error:
        parser.error(str(error))
    return asyncio.run(_backfill(options, RateLimiter(config.poll.requests_per_second), now))


async def _backfill(options: BackfillOptions, rate_limiter: RateLimiter, now: datetime) -> int:
    progress = Progress(len(options.targets), sys.stderr)
    result = await backfill(options, HttpClient(USER_AGENT), rate_limiter, progress)
    text = report(result, options, now)
    if result.failures:
        print(text, file=sys.stderr)
        return 1
    write(text)
    return 0
