"""The metrics of what a vendor reports: each says how old its value is."""

from __future__ import annotations

from typing import Final

from exporter.model import MetricFamily

_AS_OF: Final = "as of the last successful poll."


def gauge(name: str, words: str, *labels: str) -> MetricFamily:
    """A figure; `words` end with the source field in brackets, `labels` stand beside `target`."""
    return MetricFamily(name, "gauge", f"{words}, {_AS_OF}", ("target", *labels))


def info(name: str, words: str, *labels: str) -> MetricFamily:
    """Names, as labels of a constant."""
    return MetricFamily(name, "info", f"{words}, {_AS_OF}", ("target", *labels))
