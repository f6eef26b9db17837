"""XML as a contract reads it: no DTD, no entities, and text that is all text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from exporter.model import malformed_response

if TYPE_CHECKING:
    from lxml import etree

    Element: TypeAlias = etree._Element  # noqa: SLF001  lxml has no public name for it
_BLANKS: Final = " \t\r\n"  # as XML has it; Python's own are many more
_WHOLE: Final = re.compile(r"[0-9]{1,15}")
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")


def parse(body: bytes) -> Element:
    """The root element of the document in `body`.

    Raises:
        PollError: malformed.
    """
    from lxml import etree  # noqa: PLC0415  4 MB that only targets with XML need

    # A parser for each document: the process-wide default one can be changed by anyone. UTF-8
    # whatever the declaration says, so that no other encoding hides a DTD from the check below.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    if b"<!DOCTYPE" in body:
        raise malformed_response("the reply has a document type declaration")
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise malformed_response("the reply is not XML") from None


def children(element: Element) -> dict[str, Element]:
    """The child elements by name, without comments.

    Raises:
        PollError: malformed, when a name occurs twice.
    """
    named = {str(child.tag): child for child in element if isinstance(child.tag, str)}
    if len(named) < sum(isinstance(child.tag, str) for child in element):
        raise malformed_response("an element occurs twice")
    return named


def find_one(element: Element, name: str) -> Element | None:
    """The one child of that name, if there is one.

    Raises:
        PollError: malformed, when there are several.
    """
    found = element.findall(name)
    if len(found) > 1:
        raise malformed_response(f"{name} occurs twice")
    return found[0] if found else None


def text(element: Element | None) -> str:
    """The text of an element without surrounding blanks; empty where it is missing.

    Raises:
        PollError: malformed, when anything but text is inside: a part of a number is no number.
    """
    if element is None:
        return ""
    if len(element):
        raise malformed_response("an element holds more than text")
    return (element.text or "").strip(_BLANKS)


def whole_number(element: Element | None, what: str) -> int:
    """The non-negative whole number in an element that must have one."""
    found = text(element)
    if not _WHOLE.fullmatch(found):
        raise malformed_response(f"{what} is not a whole number")
    return int(found)


def decimal_number(element: Element | None, what: str) -> float | None:
    """The non-negative decimal number in an element; None where it is missing or empty."""
    found = text(element)
    if found and not _DECIMAL.fullmatch(found):
        raise malformed_response(f"{what} is not a decimal number")
    return float(found) if found else None
