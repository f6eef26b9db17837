"""A report in the requested format, with its failures and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.reports.csv_format import format_csv
from exporter.reports.focus import FocusError, focus_notes, focus_rows, format_focus
from exporter.reports.json_format import format_json
from exporter.reports.table import format_table, problems

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from exporter.reports.options import ReportOptions
    from exporter.reports.rows import TargetReport
    from exporter.reports.run import Reading


class Document(NamedTuple):
    """A report.

    Args:
        text: the report itself.
        failures: a line for each target that is not in it.
        notes: a line for each thing that is not in it, or not final.
    """

    text: str
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def format_report(
    options: ReportOptions, reading: Reading, now: datetime, width: int | None = None
) -> Document:
    """The report of what was read.

    Args:
        options: what was to be reported.
        reading: what was read.
        now: the time, for periods that are not over.
        width: columns of the terminal; None where lines may have any length.
    """
    targets = reading.targets
    failures = reading.failures + tuple(line for target in targets for line in target.failures)
    if options.format == "table":
        return Document(format_table(options, targets, width), failures)
    notes = tuple(
        f"{target.target}: {problem}"
        for target in targets
        for account in target.accounts
        for problem in problems(account)
    )
    if options.format == "json":
        return Document(format_json(options, targets, failures, now), failures, notes)
    if options.format == "csv":
        return Document(format_csv(targets, now), failures, notes)
    return _focus(options, targets, failures, notes)


def _focus(
    options: ReportOptions,
    targets: Iterable[TargetReport],
    read_failures: tuple[str, ...],
    notes: tuple[str, ...],
) -> Document:
    rows, failures, more = [], list(read_failures), list(notes)
    for target in targets:
        try:
            rows += focus_rows(target, options.days, options.invoice_ids.get(target.target, ""))
        except FocusError as error:
            failures.append(str(error))
        else:
            more += (f"{target.target}: {note}" for note in focus_notes(target, options.days))
    return Document(format_focus(rows), tuple(failures), tuple(more))
