"""Samples as text, in the two formats that Prometheus reads.

Sample lines are the same in both; the formats differ in the metadata lines and the end mark.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from exporter.metrics.catalogue import METRICS, target_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.model import MetricFamily, Sample
    from exporter.state.store import TargetSnapshot

Lines: TypeAlias = tuple[bytes, ...]
"""Sample lines of each metric, in the order of `METRICS`; empty where a metric has none."""

_NO_LINES: Final[Lines] = (b"",) * len(METRICS)


class Format(Enum):
    """The exposition formats; the value is the response's content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def target_lines(snapshot: TargetSnapshot) -> Lines:
    """The lines of a target."""
    return sample_lines(target_samples(snapshot), snapshot.target.name)


def sample_lines(samples: Iterable[Sample], *first_labels: str) -> Lines:
    """The lines of samples whose first labels have these values."""
    found: dict[MetricFamily, list[str]] = {}
    names = values = None
    label_set = ""
    for metric, labels, value in samples:
        if labels is not values or metric.labels != names:  # most are those of the last sample
            names, values = metric.labels, labels
            label_set = _label_set(names, (*first_labels, *values))
        line = f"{metric.name}{label_set} {format_value(value)}\n"
        if metric in found:
            found[metric].append(line)
        else:
            found[metric] = [line]
    return tuple(["".join(found[each]).encode() if each in found else b"" for each in METRICS])


def render(rows: Iterable[Lines], form: Format) -> bytes:
    """A page of these lines, grouped by metric; OpenMetrics' end mark is left to the caller."""
    return b"".join(render_parts(rows, form))


def render_parts(rows: Iterable[Lines], form: Format) -> Iterator[bytes]:
    """The page in parts: metadata and lines of each metric that has lines."""
    columns = zip(_NO_LINES, *rows, strict=True)
    for metric, lines in zip(METRICS, map(b"".join, columns), strict=True):
        if lines:
            yield metadata_lines(metric, form)
            yield lines


def metadata_lines(metric: MetricFamily, form: Format) -> bytes:
    """The HELP and TYPE lines of a metric."""
    name, kind = metric.name, metric.kind
    if form is Format.OPENMETRICS:
        name = name.removesuffix("_total").removesuffix("_info" if kind == "info" else "")
    elif kind == "info":
        kind = "gauge"
    return f"# HELP {name} {metric.help}\n# TYPE {name} {kind}\n".encode()


def series_name(metric: MetricFamily, values: tuple[str, ...]) -> str:
    """A metric's name with its label set."""
    return metric.name + _label_set(metric.labels, values)


def format_value(value: float) -> str:
    """A sample's value, exactly: integers without a fraction, floats as their shortest repr."""
    return str(+value).removesuffix(".0")  # `+` turns a bool into an integer


def format_labels(pairs: Iterable[tuple[str, str]]) -> str:
    """Label names and values as they stand between braces."""
    return ",".join([f'{name}="{escape(value)}"' for name, value in pairs])


def _label_set(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    return f"{{{format_labels(zip(names, values, strict=True))}}}" if names else ""


def escape(value: str) -> str:
    """A label value, as both formats escape it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
