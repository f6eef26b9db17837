"""The options of a report, validated before the first request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exporter.days import DAY, midnight, next_month
from exporter.history.options import (
    EARLIEST_DAY,
    FlagError,
    parse_day,
    select_targets,
)
from exporter.vendors.base import HistoryQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from exporter.config.models import Target

FORMATS: Final = ("table", "csv", "json", "focus")
SCOPE_KINDS: Final = ("workspace", "document-type")
"""The kinds of scopes that are rows; they are independent, so one report has one of them."""
BY: Final = (*SCOPE_KINDS, "organization", "day", "month")


@dataclass(frozen=True, slots=True)
class DayRange:
    """Days from `first` until before `after`."""

    first: date
    after: date

    @property
    def last(self) -> date:
        """The last day."""
        return self.after - DAY

    @property
    def end(self) -> datetime:
        """The moment at which the last day ends."""
        return midnight(self.after)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What to report.

    Args:
        targets: whose usage.
        days: which days.
        by: what a row is about, one of `BY`.
        format: one of `FORMATS`.
        output: the file to write; None for standard output.
        invoice_ids: by target, for FOCUS.
    """

    targets: tuple[Target, ...]
    days: DayRange
    by: str
    format: str
    output: Path | None
    invoice_ids: Mapping[str, str]

    @property
    def query(self) -> HistoryQuery:
        """What to read of each target's history: no scope that has no row."""
        scope_kinds = frozenset({self.by}).intersection(SCOPE_KINDS)
        return HistoryQuery(self.days.first, self.days.last, scope_kinds)


def parse_options(
    flags: Mapping[str, Any], targets: Sequence[Target], today: date
) -> ReportOptions:
    """The options that the command line's flags describe.

    Args:
        flags: by name.
        targets: the configuration's.
        today: the current day in UTC.

    Raises:
        FlagError: the first invalid flag.
    """
    output = Path(flags["output"]) if flags["output"] else None
    if output and output.exists() and not output.is_file():
        raise FlagError(f"--output {output} is not a regular file")
    selected = select_targets(targets, flags.get("targets", ()))
    invoice_ids = parse_invoice_ids(filter(None, flags["invoice-id"]), selected)
    if invoice_ids and flags["format"] != "focus":
        raise FlagError("--invoice-id needs --format=focus")
    return ReportOptions(
        targets=selected,
        days=parse_range(flags["month"], flags["from"], flags["to"], today),
        by=flags["by"],
        format=flags["format"],
        output=output,
        invoice_ids=invoice_ids,
    )


def parse_range(month: str, first: str, after: str, today: date) -> DayRange:
    """The days of `--month`, or from `--from` until before `--to`; by default last month's.

    Without `--to` the current day is the last.

    Raises:
        FlagError: a flag is invalid, or they do not fit together.
    """
    if month and (first or after):
        raise FlagError("--month cannot be combined with --from and --to")
    if after and not first:
        raise FlagError("--to needs --from")
    if first:
        end = parse_day(after, "--to") if after else today + DAY
        days = DayRange(parse_day(first, "--from"), end)
    else:
        days = _month(month) if month else _month_of(today.replace(day=1) - DAY)
    if days.after <= days.first:
        raise FlagError("--to must be after --from; it is exclusive")
    if not EARLIEST_DAY <= days.first <= today:
        name = "--from" if first else "--month"
        raise FlagError(f"{name} must begin from {EARLIEST_DAY} to {today}")
    return days


def _month(text: str) -> DayRange:
    try:
        return _month_of(date(*time.strptime(text, "%Y-%m")[:3]))
    except ValueError:
        raise FlagError("invalid --month; expected a month such as 2026-01") from None


def _month_of(day: date) -> DayRange:
    return DayRange(day.replace(day=1), next_month(day))


def parse_invoice_ids(pairs: Iterable[str], targets: Iterable[Target]) -> dict[str, str]:
    """The invoice of each target, from `TARGET=ID`.

    Raises:
        FlagError: a pair is invalid, or its target is unknown or has two.
    """
    names = {target.name for target in targets}
    found: dict[str, str] = {}
    for pair in pairs:
        name, _, identifier = pair.partition("=")
        if not (name and identifier):
            raise FlagError(f"invalid --invoice-id {pair}; expected TARGET=ID")
        if name not in names:
            raise FlagError(f"invalid --invoice-id {pair}; {name} is not in the report")
        if name in found:
            raise FlagError(f"invalid --invoice-id {pair}; {name} already has one")
        found[name] = identifier
    return found
