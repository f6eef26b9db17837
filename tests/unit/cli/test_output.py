"""Standard output of commands."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from exporter.cli.output import escape_unencodable, write

if TYPE_CHECKING:
    import pytest


def test_characters_that_the_encoding_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    escape_unencodable()
    write("caf\u00e9 \udcff")
    assert terminal.buffer.getvalue() == b"caf\\xe9 \\udcff\n"


def test_machine_formats_are_utf_8_in_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    write("caf\u00e9", is_utf8=True)
    assert terminal.buffer.getvalue() == b"caf\xc3\xa9\n"


def test_a_stream_without_an_encoding_is_written_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    escape_unencodable()
    write("caf\u00e9", is_utf8=True)
    assert stream.getvalue() == "caf\u00e9\n"
