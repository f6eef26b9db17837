"""Text from a vendor, made fit to show: no secret, no control characters, bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from exporter.secrets import Secret

MAX_CHARACTERS: Final = 128


def sanitize(text: str, key: Secret) -> str:
    """`text` as a label value or in a message: one line of at most 128 characters.

    Lone surrogates, which UTF-8 cannot hold, and control characters become U+FFFD; a text that
    holds a telling part of the key becomes a placeholder.
    """
    # Cut first: what is not shown needs no look, and a vendor may send a megabyte.
    seen = text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
    safe = key.redact(seen)
    return "".join(character if character.isprintable() else "\ufffd" for character in safe)
