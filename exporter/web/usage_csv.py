"""The daily use of a target as CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from exporter.csv_text import csv_cell, csv_text
from exporter.days import DAY, days_between
from exporter.presentation.scope_usage import scopes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import ScopeUsage, UsageHistory
    from exporter.state.store import TargetSnapshot

CSV: Final = "text/csv; charset=utf-8"
_COLUMNS: Final = ("date", "target", "type", "id", "name", "unit", "used", "complete")


def usage_csv(snapshot: TargetSnapshot) -> bytes:
    """A line for each scope and day, as UTF-8; the current day is not complete."""
    lines = [csv_text([_COLUMNS])]
    for scope in scopes_of(snapshot.state):
        if scope.history:
            lines += _lines(snapshot.target.name, scope, scope.history)
    return "".join(lines).encode(errors="replace")


def _lines(target: str, scope: ScopeUsage, history: UsageHistory) -> Iterator[str]:
    cells = (target, scope.label, scope.value, scope.name, scope.unit)
    who = ",".join(map(csv_cell, cells))
    *dates, today = _dates(history.today, len(history.days))
    for day, used in zip(dates, history.days, strict=True):
        yield f"{day},{who},{used},true\n"
    yield f"{today},{who},{history.used_today:.0f},false\n"


@lru_cache(maxsize=4)  # the scopes of a target have the same days
def _dates(today: float, count: int) -> tuple[str, ...]:
    last = datetime.fromtimestamp(today, UTC).date()
    return tuple(map(str, days_between(last - DAY * count, last)))


def attachment(target: str) -> bytes:
    """The header that gives the file a name."""
    name = quote(f"{target}-usage.csv", safe="", errors="replace")
    return f"attachment; filename=\"usage.csv\"; filename*=UTF-8''{name}".encode()
