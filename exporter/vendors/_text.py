"""Text from a vendor, made fit to show: no secret, no control characters, bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from exporter.keys import Secret

MAX_CHARACTERS: Final = 128


def fit_to_show(text: str, key: Secret) -> str:
    """`text` as a label value or in a message: one line of at most 128 characters.

    Lone surrogates, which UTF-8 cannot hold, and control characters become U+FFFD; a text that
    holds a telling part of the key becomes a placeholder.
    """
    safe = key.redact(text)
    shown = "".join(character if character.isprintable() else "\ufffd" for character in safe)
    return shown if len(shown) <= MAX_CHARACTERS else shown[: MAX_CHARACTERS - 1] + "…"
