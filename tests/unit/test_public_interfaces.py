"""The program uses only public names of its libraries, so that their new versions run it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httptools
import pytest

import exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(exporter.__file__).parent
PUBLIC: Final = {
    "asyncio": {*asyncio.__all__, "TaskGroup"},
    "httptools": {*httptools.__all__} - {"parser"},
}
# What a line must not have, and why.
FORBIDDEN: Final = {
    "private attribute": r"(?<!\bself)(?<!\bcls)\._(?!(?:asdict|fields|make|replace)\b)[a-zA-Z]\w*",
    "private attribute by name": r"""\b(?:get|set|has|del)attr\([^,]+, ["']_[a-z]\w*""",
    "private module": r"(?m)^\s*(?:from|import) _(?!_)\w+",
    "coroutine run by hand": r"\btypes\.coroutine\b|\bfrom types import .*\bcoroutine\b"
    r"|\.send\(None\)|\b(?:cr|gi)_(?:await|frame|running|yieldfrom)\b",
}
ALLOWED: Final = {
    "secrets.py: private attribute: ._value",  # of another instance of the same class
    "vendors/common/xml_parser.py: private attribute: ._Element",  # lxml has no other name for it
}


def not_public(source: str) -> Iterator[str]:
    """`KIND: TEXT` for each use of what a library does not document."""
    for kind, pattern in FORBIDDEN.items():
        yield from (f"{kind}: {found[0]}" for found in re.finditer(pattern, source))
    for library, names in PUBLIC.items():
        used = set(re.findall(rf"\b{library}\.([a-zA-Z]\w*)", source))
        for imported in re.findall(rf"\bfrom {library} import (\(.*?\)|.*)", source, re.DOTALL):
            used |= set(re.findall(r"\w+", imported.partition("#")[0]))
        yield from (f"not public: {library}.{name}" for name in sorted(used - names))


def test_only_public_names_of_libraries_are_used() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {use}"
        for path in ROOT.rglob("*.py")
        for use in not_public(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("loop._ready.clear()", "private attribute: ._ready"),
        ("self._transport._ssl_protocol", "private attribute: ._ssl_protocol"),
        ("getattr(transport, '_sock')", "private attribute by name: getattr(transport, '_sock"),
        ("import _ssl", "private module: import _ssl"),
        ("from asyncio.sslproto import SSLProtocol", "not public: asyncio.sslproto"),
        ("asyncio.sslproto.SSLProtocol", "not public: asyncio.sslproto"),
        ("from asyncio import selector_events", "not public: asyncio.selector_events"),
        ("httptools.parser.parser", "not public: httptools.parser"),
        ("@types.coroutine", "coroutine run by hand: types.coroutine"),
        ("coroutine.send(None)", "coroutine run by hand: .send(None)"),
        ("self._own = period._replace(end=asyncio.timeout(1))", None),
        ("from asyncio import timeout, run  # both", None),
    ],
)
def test_a_use_that_is_not_public_is_found(line: str, expected: str | None) -> None:
    assert list(not_public(f"{line}\n")) == [expected] * (expected is not None)
