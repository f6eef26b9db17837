"""The table of a probe: a row per allowance, and a line per target without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.presentation.formatting import (
    format_account,
    format_allowance_name,
    format_end,
    format_exhaustion,
    format_exhaustion_range,
    format_number,
    format_percent,
    format_projection,
    format_scope_failure,
    format_state,
    severity,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.state.store import TargetSnapshot

_HEADINGS: Final = (
    *("TARGET", "ACCOUNT", "ALLOWANCE", "LEFT", "OF", "%", "PER DAY"),
    *("RUNS OUT", "LIKELY", "USED AT END", "ENDS"),
)
_RIGHT_ALIGNED: Final = frozenset({"LEFT", "OF", "%", "PER DAY", "USED AT END"})
_COLOURED: Final = frozenset({"LEFT", "%"})
_STYLES: Final = {"heading": "1", "critical": "1;31", "warning": "33", "fine": "32"}


class _Row(NamedTuple):
    cells: tuple[str, ...]
    style: str


def format_table(
    snapshots: Sequence[TargetSnapshot], now: float, *, is_coloured: bool = False
) -> str:
    """A row for each allowance, and a line for each target that failed or has none."""
    rows = [
        _Row(_HEADINGS, "heading"),
        *(row for snapshot in snapshots for row in _rows(snapshot, now)),
    ]
    columns = range(len(_HEADINGS) - 1)
    widths = [*(max(len(row.cells[column]) for row in rows) for column in columns), 0]
    styles = _STYLES if is_coloured else {}
    lines = (_format_row(row, widths, styles) for row in rows)
    return "\n".join([*lines, *failure_lines(snapshots), *_remark_lines(snapshots)])


def failure_lines(snapshots: Iterable[TargetSnapshot]) -> Iterator[str]:
    """A line for each target that failed, and for each part of one."""
    for snapshot in snapshots:
        if snapshot.state.failure:
            yield f"{snapshot.target.name}: {format_state(snapshot)}"
        for failure in snapshot.scope_failures:
            yield f"{snapshot.target.name}: {format_scope_failure(failure)}"


def _remark_lines(snapshots: Iterable[TargetSnapshot]) -> Iterator[str]:
    for snapshot in snapshots:
        if not snapshot.state.failure and not snapshot.allowances:
            count = len(snapshot.result.samples) if snapshot.result else 0
            yield f"{snapshot.target.name}: up, {count} values, no allowance"
        for note in snapshot.result.notes if snapshot.result else ():
            yield f"{snapshot.target.name}: {note}"


def _rows(snapshot: TargetSnapshot, now: float) -> Iterator[_Row]:
    for allowance in snapshot.allowances:
        cells = (
            snapshot.target.name,
            format_account(allowance),
            format_allowance_name(allowance),
            _number(allowance.available),
            f"{_number(allowance.allowed)} {allowance.unit}",
            "-" if allowance.ratio is None else format_percent(allowance.ratio).removesuffix(" %"),
            _number(allowance.burn_per_day),
            format_exhaustion(allowance, now).removeprefix("runs out ") or "-",
            format_exhaustion_range(allowance, now) or "-",
            format_projection(allowance, now) or "-",
            format_end(allowance, now).removeprefix("ends ") or "-",
        )
        yield _Row(cells, severity(allowance, snapshot.target.alerts))


def _number(value: float | None) -> str:
    return "-" if value is None else format_number(value)


def _format_row(row: _Row, widths: Iterable[int], styles: Mapping[str, str]) -> str:
    """The aligned cells; a colour shows the severity."""
    cells = []
    for cell, width, heading in zip(row.cells, widths, _HEADINGS, strict=True):
        text = cell.rjust(width) if heading in _RIGHT_ALIGNED else cell.ljust(width)
        if row.style in styles and (row.style == "heading" or heading in _COLOURED):
            text = f"\x1b[{styles[row.style]}m{text}\x1b[0m"
        cells.append(text)
    return "  ".join(cells)
