"""Text from a vendor, made fit to show: no secret, no control characters, bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.secrets import Secret

MAX_CHARACTERS: Final = 128
_MAX_FIELDS: Final = 3


def sanitize(text: str, key: Secret) -> str:
    """`text` as a label value or in a message: one line of at most 128 characters.

    Lone surrogates, which UTF-8 cannot hold, and control characters become U+FFFD; a text that
    holds a revealing part of the key becomes a placeholder.
    """
    # Cut first: the rest is not shown anyway, and a vendor may send a megabyte.
    seen = text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
    safe = key.redact(seen)
    return "".join(character if character.isprintable() else "\ufffd" for character in safe)


def describe_document(body: bytes) -> str:
    """What a response that is not what it should be is instead, as far as its beginning shows."""
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "empty"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page (of a proxy, a sign-in or an error)"
    return "a damaged or other document"


def unreadable_note(fields: Sequence[str]) -> str:
    """One sentence about fields that cannot be read: the first few, and how many more."""
    shown = ", ".join(fields[:_MAX_FIELDS])
    more = len(fields) - _MAX_FIELDS
    return f"cannot read {shown}" + (f" and {more} more" if more > 0 else "")
