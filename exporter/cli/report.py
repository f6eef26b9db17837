"""`report`: past usage by workspace, day or month, from the vendors' own daily figures."""

from __future__ import annotations

import asyncio
import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from exporter.cli.flags import Parser
from exporter.cli.history import parse
from exporter.cli.output import write
from exporter.files import replace_file
from exporter.reports.formats import Document, format_report
from exporter.reports.options import BY, FORMATS, parse_options
from exporter.reports.run import read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from exporter.history.reader import HistoryReader
    from exporter.reports.options import ReportOptions

_EPILOG = """\
The ends of days and periods are exclusive. The exit status is 1 if a target failed; the others are
reported all the same.
"""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; its exit status is 0 if every target was reported."""
    parser = Parser("report", "Report past usage, by default of last month.", environ, _EPILOG)
    parser.config_flag()
    parser.flag("month", "", "a calendar month such as 2026-01; by default the last one")
    parser.flag("from", "", "instead of a month, the first day, such as 2026-01-31")
    parser.flag("to", "", "the day after the last; by default the current day is the last (UTC)")
    parser.flag("by", BY[0], "what a row is about", choices=BY, metavar=None)
    parser.flag("format", FORMATS[0], "output format", choices=FORMATS, metavar=None)
    parser.flag("output", "", "write to this file", metavar="FILE")
    description = "the invoice of a target, as TARGET=ID, for --format=focus"
    parser.repeated_flag("invoice-id", "", description)
    parser.target_arguments()
    return asyncio.run(_report(*parse(parser, arguments, environ, parse_options)))


async def _report(options: ReportOptions, reader: HistoryReader, now: datetime) -> int:
    reading = await read(options, reader)
    document = format_report(options, reading, now, _width(options))
    _write(document, options)
    return 1 if document.failures else 0


def _width(options: ReportOptions) -> int | None:
    """The columns of the terminal to which the report goes."""
    return get_terminal_size().columns if sys.stdout.isatty() and not options.output else None


def _write(document: Document, options: ReportOptions) -> None:
    text = document.text.rstrip("\n")
    if options.output:
        replace_file(options.output, f"{text}\n")
    else:
        write(text, is_utf8=options.format != "table")
    for line in (*document.failures, *document.notes):
        print(line, file=sys.stderr)
