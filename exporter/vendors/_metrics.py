"""The metrics of what a vendor reports: each says how old its value is."""

from __future__ import annotations

from typing import Final

from exporter.records import Metric

_AS_OF: Final = "as of the last successful poll."


def gauge(name: str, words: str, *labels: str) -> Metric:
    """A figure; `words` end with the source field in brackets, `labels` stand beside `target`."""
    return Metric(name, "gauge", f"{words}, {_AS_OF}", ("target", *labels))


def info(name: str, words: str, *labels: str) -> Metric:
    """Names, as labels of a constant."""
    return Metric(name, "info", f"{words}, {_AS_OF}", ("target", *labels))
