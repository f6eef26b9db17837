"""Metric families of what a vendor reports."""

from __future__ import annotations

from typing import Final

from exporter.model import MetricFamily

_AS_OF: Final = "as of the last successful poll."


def gauge(name: str, text: str, *labels: str) -> MetricFamily:
    """A figure; `text` ends with the source field in brackets, `labels` come after `target`."""
    return MetricFamily(name, "gauge", f"{text}, {_AS_OF}", ("target", *labels))


def info(name: str, text: str, *labels: str) -> MetricFamily:
    """Names, as labels of a constant."""
    return MetricFamily(name, "info", f"{text}, {_AS_OF}", ("target", *labels))
