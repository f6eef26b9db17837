"""Samples as lines, in the two formats that Prometheus reads.

Both have the same lines and differ in the heads of metrics and in the end mark.
"""

from __future__ import annotations

from enum import Enum
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from exporter.metrics import CATALOGUE, counted_samples, polled_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.records import Metric, Sample
    from exporter.snapshot import Entry

_ANY_TARGET: Final = "\0"  # in lines made for every target: where its name is to be put


class Format(Enum):
    """The two formats, by the content type of their replies."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def head(metric: Metric, form: Format) -> bytes:
    """The HELP and TYPE lines of a metric."""
    name, kind = metric.name, metric.kind
    if form is Format.OPENMETRICS:
        name = name.removesuffix("_total").removesuffix("_info" if kind == "info" else "")
    elif kind == "info":
        kind = "gauge"
    return f"# HELP {name} {metric.help}\n# TYPE {name} {kind}\n".encode()


def number(value: float) -> str:
    """A value as both formats write it: whole numbers without a fraction, nothing rounded."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def line(sample: Sample, target: str | None = None) -> str:
    """The line of a sample; `target`, where given, is its first label's value."""
    metric, labels, value = sample
    values = labels if target is None else (target, *labels)
    return f"{series(metric, values)} {number(value)}\n"


def series(metric: Metric, values: Iterable[str]) -> str:
    """A metric with the values of all its labels."""
    return _template(metric) % tuple(map(escaped, values))


@cache
def _template(metric: Metric) -> str:
    """A metric with `%s` for the value of each label."""
    labels = labels_text((name, "%s") for name in metric.labels)
    return f"{metric.name}{{{labels}}}" if labels else metric.name


def labels_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values of labels, as they stand between the braces."""
    return ",".join([f'{name}="{escaped(value)}"' for name, value in pairs])


@lru_cache(maxsize=1000)
def escaped(value: str) -> str:
    """A label's value, as both formats escape it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


Lines = dict[str, str]
"""Lines, one after the other, by the metric's name."""


def target_lines(entry: Entry) -> Lines:
    """Every line of a target."""
    target, state, _ = entry
    counted = _counted_lines(target.vendor, state.failures, state.anomalies)
    name = escaped(target.name)
    return lines_of(polled_samples(entry), target.name) | {
        metric: lines.replace(_ANY_TARGET, name) for metric, lines in counted.items()
    }


@lru_cache(maxsize=1000)
def _counted_lines(
    vendor: str, failures: tuple[int, ...], anomalies: tuple[int, ...]
) -> Mapping[str, str]:
    """More than half of a target's lines, but for its name the same for nearly all targets."""
    return lines_of(counted_samples(vendor, failures, anomalies), _ANY_TARGET)


def lines_of(samples: Iterable[Sample], target: str | None = None) -> Lines:
    """The lines of samples; `target` as for `line`."""
    lines: Lines = {}
    for sample in samples:
        name = sample.metric.name
        lines[name] = lines.get(name, "") + line(sample, target)
    return lines


def by_metric(lines: Iterable[Lines]) -> Iterator[tuple[Metric, bytes]]:
    """The metrics that have lines, each with all of them, in the catalogue's order."""
    known = list(lines)
    for metric in CATALOGUE:
        name = metric.name
        if found := [each[name] for each in known if name in each]:
            yield metric, "".join(found).encode()


def document(lines: Iterable[Lines], form: Format) -> bytes:
    """The metrics that have lines, each under its head, in the catalogue's order; no end mark."""
    return b"".join(head(metric, form) + found for metric, found in by_metric(lines))
