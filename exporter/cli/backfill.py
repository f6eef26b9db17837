"""`backfill`: writes the vendors' history as OpenMetrics with timestamps."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from exporter.backfill.options import DEFAULT_STEP, parse_options
from exporter.backfill.run import backfill, report
from exporter.cli.flags import Parser
from exporter.cli.history import parse
from exporter.cli.output import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from exporter.backfill.options import BackfillOptions
    from exporter.history.reader import HistoryReader


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
    return asyncio.run(_backfill(*parse(parser, arguments, environ, parse_options)))


async def _backfill(options: BackfillOptions, reader: HistoryReader, now: datetime) -> int:
    result = await backfill(options, reader)
    text = report(result, options, now)
    if result.failures:
        print(text, file=sys.stderr)
        return 1
    write(text)
    return 0
