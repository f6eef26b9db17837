"""Replaces values in JSON and XML and leaves every other byte as it is, also in damaged documents.

The documents are not parsed and formatted again: what is unusual about them is why they were
captured.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Final, TypeAlias
from xml.sax.saxutils import escape

from exporter.capture.format import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

Replace: TypeAlias = "Callable[[str | None, str], str]"
"""Gives the new value of a field, by the field's name and its value.

The name is None outside of all fields, and empty for the names of JSON's members themselves.
"""

_JSON: Final = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)(?P<end>"(?P<colon>\s*:)?|\\?\Z)|(?P<number>-?[0-9][0-9.eE+-]*)',
    re.DOTALL,
)
_XML: Final = re.compile(
    r"<!--(?P<comment>.*?)-->|<\?.*?\?>|<!\[CDATA\[(?P<cdata>.*?)\]\]>"
    r"|<(?P<slash>/?)(?P<tag>[A-Za-z_][^\s/>]*)(?P<attributes>[^>]*)>|(?P<text>[^<]+)",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"""([\w:.-]+)(\s*=\s*)(["'])(.*?)\3""", re.DOTALL)


def rewrite(body: bytes, replace: Replace) -> bytes:
    """The body with new values; where a value stays the same, its bytes do.

    Args:
        body: of a response. What is neither JSON nor XML is one value outside of all fields.
        replace: gives the new values.
    """
    try:
        text, encoding = body.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = body.decode("latin-1"), "latin-1"
    match kind_of(body):
        case "json":
            text = _rewrite_json(text, replace)
        case "xml":
            text = _rewrite_xml(text, replace)
        case _:
            text = replace(None, text)
    return text.encode(encoding, "xmlcharrefreplace")


def _rewrite_json(text: str, replace: Replace) -> str:
    field: str | None = None

    def token(match: re.Match[str]) -> str:
        nonlocal field
        if match["number"]:
            new = replace(field, match["number"])
            return new if _JSON.fullmatch(new) and '"' not in new else match[0]
        value = _json_text(match["text"])
        if match["colon"]:
            field = value
        new = replace("" if match["colon"] else field, value)
        return match[0] if new == value else f'"{json.dumps(new)[1:-1]}{match["end"]}'

    return _JSON.sub(token, text)


def _json_text(raw: str) -> str:
    if "\\" not in raw:
        return raw
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def _rewrite_xml(text: str, replace: Replace) -> str:
    field: str | None = None

    def attribute(match: re.Match[str]) -> str:
        name, equals, quote, raw = match.groups()
        return f"{name}{equals}{quote}{_xml_value(_local(name), raw, replace)}{quote}"

    def token(match: re.Match[str]) -> str:
        nonlocal field
        if match["tag"]:
            field = None if match["slash"] else _local(match["tag"])
            attributes = _ATTRIBUTE.sub(attribute, match["attributes"])
            return f"<{match['slash']}{match['tag']}{attributes}>"
        if match["cdata"] is not None:
            return f"<![CDATA[{replace(field, match['cdata'])}]]>"
        if match["comment"] is not None:
            return f"<!--{replace(None, match['comment'])}-->"
        return _xml_value(field, match["text"], replace) if match["text"] else match[0]

    return _XML.sub(token, text)


def _xml_value(field: str | None, raw: str, replace: Replace) -> str:
    value = html.unescape(raw.strip())
    new = replace(field, value) if value else value
    return raw if new == value else raw.replace(raw.strip(), escape(new, {'"': "&quot;"}))


def _local(name: str) -> str:
    """A name without its namespace's prefix."""
    return name.rpartition(":")[2]
