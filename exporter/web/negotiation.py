"""Content negotiation: the format of the metrics and their compression.

Invalid headers are not an error: the response is uncompressed text then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.metrics.exposition import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.server.messages import Headers

_MAX_ENTRIES: Final = 32  # Prometheus sends five
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
# Older clients ask for 0.0.1; what is rendered here is the same in both.
_OPENMETRICS_VERSIONS: Final = ("", "1.0.0", "0.0.1")


class AcceptEntry(NamedTuple):
    """An entry of an `Accept` or `Accept-Encoding` header, in lower case; `quality` is 0 to 1."""

    name: str
    version: str
    quality: float


def accept_entries(headers: Headers, name: bytes) -> Iterator[AcceptEntry]:
    """The first entries of each header `name`; an invalid quality counts as missing."""
    for key, value in headers:
        if key == name:
            entries = value.decode("latin-1").lower().split(",", _MAX_ENTRIES)
            yield from map(_parse_entry, entries[:_MAX_ENTRIES])


def _parse_entry(text: str) -> AcceptEntry:
    name, *parts = (part.strip() for part in text.split(";", _MAX_ENTRIES))
    parameters = dict(part.partition("=")[::2] for part in parts)
    quality = parameters.get("q", "")
    value = float(quality) if _QUALITY.fullmatch(quality) else 1.0
    return AcceptEntry(name, parameters.get("version", ""), value)


def choose_format(headers: Headers) -> Format:
    """OpenMetrics if a supported version is accepted with at least the quality of text."""
    openmetrics = text = 0.0
    for name, version, quality in accept_entries(headers, b"accept"):
        if name == "text/plain":
            text = max(text, quality)
        elif name == "application/openmetrics-text" and version in _OPENMETRICS_VERSIONS:
            openmetrics = max(openmetrics, quality)
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= text else Format.TEXT


def accepts_gzip(headers: Headers) -> bool:
    """Whether the client accepts gzip."""
    accepted = {name: quality for name, _, quality in accept_entries(headers, b"accept-encoding")}
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0
