"""XML responses: no DTD, no entities, and what cannot be read costs no more than itself."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from lxml import etree

from exporter.model import malformed_response
from exporter.vendors.common.text import describe_document

if TYPE_CHECKING:
    Element: TypeAlias = etree._Element  # noqa: SLF001  lxml has no public name for it

_BLANKS: Final = " \t\r\n"  # as XML has it; Python's own are many more
_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,256}\?>")
_ENCODING: Final = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_LATIN_1: Final = frozenset({"iso-8859-1", "iso8859-1", "latin-1", "latin1", "windows-1252"})
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
# Before the declaration: blank lines, or what a script printed by mistake.
_MAX_PREFIX: Final = 4096
_BARE_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_WHOLE: Final = re.compile(r"(-?[0-9]{1,15})(?:\.0{1,8})?")
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")


def parse(body: bytes) -> Element:
    """The root element of the document in `body`.

    A byte order mark, text before the XML declaration, a declared Latin-1 and ampersands that are
    not escaped are accepted.

    Raises:
        PollError: malformed.
    """
    text = _BARE_AMPERSAND.sub("&amp;", _decode(body))
    if "<!DOCTYPE" in text:
        raise malformed_response(
            f"the response is {describe_document(body)}, with a document type declaration"
        )
    # A parser for each document: the process-wide default one can be changed by anyone.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise malformed_response(f"the response is {describe_document(body)}, not XML") from None


def _decode(body: bytes) -> str:
    """The text after the declaration; bytes that its encoding does not have become U+FFFD."""
    declaration = _DECLARATION.search(body, 0, _MAX_PREFIX)
    if declaration is None:
        return body.decode("utf-8-sig", errors="replace").lstrip(_BLANKS)
    encoding = _ENCODING.search(declaration[0])
    name = encoding[1].decode().lower() if encoding else "utf-8"
    rest = body[declaration.end() :]
    if name in _UTF_8:
        return rest.decode(errors="replace")
    if name in _LATIN_1:
        return rest.decode("cp1252", errors="replace")
    raise malformed_response("the response is in an encoding other than UTF-8 and Latin-1")


def read_text(element: Element) -> str | None:
    """The text of an element without surrounding blanks.

    None where anything but text is inside: a part of a number is no number.
    """
    return None if len(element) else (element.text or "").strip(_BLANKS)


def child_text(element: Element, name: str) -> str | None:
    """The text of the child of that name, as `read_text`; empty unless there is exactly one."""
    found = element.findall(name)
    return read_text(found[0]) if len(found) == 1 else ""


def read_int(text: str | None) -> int | None:
    """A whole number, also where it is written as `10.0`; else None."""
    match = _WHOLE.fullmatch(text or "")
    return int(match[1]) if match else None


def read_decimal(text: str | None) -> Decimal | None:
    """A decimal number that is not negative; else None."""
    return Decimal(text) if text and _DECIMAL.fullmatch(text) else None
