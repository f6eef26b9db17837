"""How many examples hypothesis tries of a law."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

EXAMPLES: Final = 40  # of a law, unless a profile says otherwise


def examples(count: int) -> settings:
    """For an expensive law: this many where others have 40, and as many fewer in each profile."""
    return settings(max_examples=max(1, count * settings().max_examples // EXAMPLES))
