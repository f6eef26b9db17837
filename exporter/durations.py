"""Durations in Prometheus's grammar, such as `1h30m` or `500ms`."""

from __future__ import annotations

import re
from typing import Final

_DAY: Final = 86_400_000
_MILLISECONDS: Final = {
    "y": 365 * _DAY,
    "w": 7 * _DAY,
    "d": _DAY,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_AMOUNT: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"  # Prometheus has no fractions; Go has
_PART: Final = re.compile(rf"({_AMOUNT})([a-z]+)")
PATTERN: Final = "(?=.)" + "".join(rf"(?:{_AMOUNT}{unit})?" for unit in _MILLISECONDS)
_DURATION: Final = re.compile(PATTERN)


def parse_duration(text: str) -> float:
    """The seconds of a duration: amounts with the units y, w, d, h, m, s, ms, largest first.

    Raises:
        ValueError: it is not a duration.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError("not a duration")
    parts = _PART.findall(text)
    return sum(float(amount) * _MILLISECONDS[unit] for amount, unit in parts) / 1000


def format_duration(seconds: float) -> str:
    """A duration as Prometheus writes it, to the millisecond; years and weeks only if exact."""
    rest, text = round(seconds * 1000), ""
    for unit, size in _MILLISECONDS.items():
        if rest >= size and (unit not in {"y", "w"} or rest % size == 0):
            text += f"{rest // size}{unit}"
            rest %= size
    return text or "0s"
