"""CSV that a spreadsheet reads as it is meant: names are text, never formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_SPECIAL: Final = re.compile('[",\r\n]')


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Rows of cells as CSV: RFC 4180, but with line feeds alone; see `csv_cell`."""
    return "".join(f"{','.join(map(csv_cell, row))}\n" for row in rows)


def csv_cell(text: str) -> str:
    """A cell, quoted where necessary, with `'` before what a spreadsheet would run as a formula.

    Names come from other people. Numbers, also negative ones, stay numbers.
    """
    if text.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text
