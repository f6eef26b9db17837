"""CSV: quoting, and cells that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.csv_text import csv_cell, csv_text


@pytest.mark.parametrize(
    "name", ["=1+1", "+64 21 555 0100", "-5+2", "@SUM(A1)", "\t=1", "--5", "-5e3", "-", "-1."]
)
def test_a_cell_that_would_be_a_formula_is_text(name: str) -> None:
    assert csv_cell(name) == f"'{name}"


@pytest.mark.parametrize("text", ["", "0", "-12", "-0.0375", "12.50", "Claims", "a=b", "'=1", " -"])
def test_numbers_and_other_cells_stay_as_they_are(text: str) -> None:
    assert csv_cell(text) == text


def test_quotes_commas_and_line_ends_are_quoted() -> None:
    assert csv_text([["a", 'b "c"'], ["d,e", "f\ng"], ["", "\r-1"], ["-1", "=2,3"]]) == (
        'a,"b ""c"""\n"d,e","f\ng"\n,"\'\r-1"\n-1,"\'=2,3"\n'
    )


@given(st.lists(st.lists(st.text(), min_size=2), min_size=1))
def test_a_reader_finds_every_cell_and_no_formula(rows: list[list[str]]) -> None:
    found = list(csv.reader(io.StringIO(csv_text(rows), newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in found] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    for row in found:
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r", "\n")) for cell in row)
