"""What a client accepts: the format of the metrics, and whether they come compressed.

Whatever the headers hold, there is an answer: plain text is what nonsense gets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.metrics.exposition import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.server.messages import Headers

_MOST: Final = 32  # alternatives that are looked at; Prometheus sends five
_QUALITY: Final = re.compile(r"[01](\.[0-9]{0,3})?")
# The second is what older clients ask for: the same, as far as we write it.
_OPENMETRICS_VERSIONS: Final = ("", "1.0.0", "0.0.1")


class Alternative(NamedTuple):
    """One entry of an `Accept` or `Accept-Encoding` header, in lower case; `quality` is 0 to 1."""

    name: str
    version: str
    quality: float


def alternatives(headers: Headers, name: bytes) -> Iterator[Alternative]:
    """The entries of the header `name`; nonsense for a quality counts as not said."""
    for key, value in headers:
        if key.lower() == name:
            yield from _snapshots(value)


@lru_cache(maxsize=16)  # a scraper asks the same each time
def _snapshots(value: bytes) -> tuple[Alternative, ...]:
    return tuple(map(_entry, value.decode("latin-1").lower().split(",", _MOST)[:_MOST]))


def _entry(text: str) -> Alternative:
    what, *given = (part.strip() for part in text.split(";", _MOST))
    known = dict(part.partition("=")[::2] for part in given)
    quality = known.get("q", "")
    said = float(quality) if _QUALITY.fullmatch(quality) else 1.0
    return Alternative(what, known.get("version", ""), min(said, 1.0))


def chosen_format(headers: Headers) -> Format:
    """OpenMetrics where a version that we write is asked for, no less than text."""
    openmetrics = text = 0.0
    for name, version, quality in alternatives(headers, b"accept"):
        if name == "text/plain":
            text = max(text, quality)
        elif name == "application/openmetrics-text" and version in _OPENMETRICS_VERSIONS:
            openmetrics = max(openmetrics, quality)
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= text else Format.TEXT


def takes_gzip(headers: Headers) -> bool:
    """Whether the client reads gzip."""
    accepted = {name: quality for name, _, quality in alternatives(headers, b"accept-encoding")}
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0
