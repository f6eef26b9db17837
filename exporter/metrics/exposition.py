"""Samples as lines, in the two formats that Prometheus reads.

Both have the same lines and differ in the heads of metrics and in the end mark.
"""

from __future__ import annotations

from collections import defaultdict
from enum import Enum
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.metrics.catalogue import (
    CONFIGURED,
    METRICS,
    RHYTHM,
    error_counter_samples,
    poll_result_samples,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.metrics.catalogue import Table
    from exporter.model import MetricFamily, Sample
    from exporter.state.store import TargetSnapshot


_ANY_TARGET: Final = "\0"  # in lines made for every target: where its name is to be put


class Format(Enum):
    """The two formats, by the content type of their replies."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def head(metric: MetricFamily, form: Format) -> bytes:
    """The HELP and TYPE lines of a metric."""
    name, kind = metric.name, metric.kind
    if form is Format.OPENMETRICS:
        name = name.removesuffix("_total").removesuffix("_info" if kind == "info" else "")
    elif kind == "info":
        kind = "gauge"
    return f"# HELP {name} {metric.help}\n# TYPE {name} {kind}\n".encode()


def number(value: float) -> str:
    """A value as both formats write it: whole numbers without a fraction, nothing rounded."""
    return str(+value).removesuffix(".0")  # plus makes a number of a bool


def series(metric: MetricFamily, values: tuple[str, ...]) -> str:
    """A metric with the values of all its labels."""
    return metric.name + _braces(metric.labels, values)


def _braces(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Labels and what they are put between; nothing where there are none."""
    return _template(names) % _escaped(values)


@cache
def _template(names: tuple[str, ...]) -> str:
    labels = labels_text((name, "%s") for name in names)
    return f"{{{labels}}}" if labels else ""


def labels_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values of labels, as they stand between the braces."""
    return ",".join([f'{name}="{escaped(value)}"' for name, value in pairs])


def _escaped(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values of labels; it is rare that there is anything to escape."""
    text = "".join(values)
    is_plain = '"' not in text and "\\" not in text and "\n" not in text
    return values if is_plain else tuple(map(escaped, values))


def escaped(value: str) -> str:
    """A label's value, as both formats escape it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


Lines = dict[str, str]
"""Lines, one after the other, by the metric's name."""


class Section(NamedTuple):
    """Lines of a target that change together, of metrics that are in no other section.

    Args:
        source: what a target's lines are made from, beside its settings.
        lines: those of some targets, each one's together.
    """

    source: Callable[[TargetSnapshot], object]
    lines: Callable[[Sequence[TargetSnapshot]], Lines]


def target_lines(snapshot: TargetSnapshot) -> Lines:
    """Every line of a target."""
    found: Lines = {}
    for section in SECTIONS:
        found |= section.lines([snapshot])
    return found


def _reading_lines(snapshots: Sequence[TargetSnapshot]) -> Lines:
    return _lines(
        ((snapshot.target.name,), poll_result_samples(snapshot.target, poll_result))
        for snapshot in snapshots
        if (poll_result := snapshot.poll_result)
    )


def _amiss_lines(snapshots: Sequence[TargetSnapshot]) -> Lines:
    """More than half of all lines, but for the name the same for nearly all targets."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for target, state, _ in snapshots:
        name = escaped(target.name)
        counted = _amiss_of_any_target(target.vendor, state.failures, state.anomalies)
        for metric, lines in counted.items():
            found[metric].append(lines.replace(_ANY_TARGET, name))
    return {metric: "".join(lines) for metric, lines in found.items()}


@lru_cache(maxsize=1000)
def _amiss_of_any_target(
    vendor: str, failures: tuple[int, ...], anomalies: tuple[int, ...]
) -> Lines:
    return _lines([((_ANY_TARGET,), error_counter_samples(vendor, failures, anomalies))])


def lines_of(samples: Iterable[Sample]) -> Lines:
    """The lines of samples that have all their labels."""
    return _lines([((), samples)])


def _lines(groups: Iterable[tuple[tuple[str, ...], Iterable[Sample]]]) -> Lines:
    """The lines of groups of samples, each group with the values of its first labels."""
    found: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for first, samples in groups:
        names = values = None
        braces = ""
        for metric, labels, value in samples:
            if labels is not values or metric.labels != names:  # most have those of the last one
                names, values = metric.labels, labels
                braces = _braces(names, first + values)
            found[metric.name].append((braces, value))
    return {name: _text(name, column) for name, column in found.items()}


def _table_lines(table: Table, snapshots: Sequence[TargetSnapshot]) -> Lines:
    """The lines of a table's metrics, made metric by metric."""
    names = table.metrics[0].labels
    braces = [
        _braces(names, (snapshot.target.name, snapshot.target.vendor)) for snapshot in snapshots
    ]
    columns = zip(*map(table.values, snapshots), strict=True)
    texts = {
        metric.name: _text(metric.name, zip(braces, column, strict=True))
        for metric, column in zip(table.metrics, columns, strict=True)
    }
    return {name: text for name, text in texts.items() if text}


def _text(name: str, column: Iterable[tuple[str, float | None]]) -> str:
    """The lines of a metric; as `number` writes them, and much faster than one by one."""
    text = "".join(
        [f"{name}{braces} {+value!s}\n" for braces, value in column if value is not None]
    )
    return text.replace(".0\n", "\n")


SECTIONS: Final = (
    Section(lambda snapshot: snapshot.poll_result, _reading_lines),
    Section(lambda snapshot: snapshot.state, partial(_table_lines, RHYTHM)),
    Section(lambda snapshot: (snapshot.state.failures, snapshot.state.anomalies), _amiss_lines),
    Section(lambda _: None, partial(_table_lines, CONFIGURED)),
)
"""All that is told of targets."""


def document(lines: Iterable[Lines], form: Format) -> bytes:
    """The metrics that have lines, each under its head, in the catalogue's order; no end mark."""
    known = list(lines)
    parts = []
    for metric in METRICS:
        if found := [each[metric.name] for each in known if metric.name in each]:
            parts += [head(metric, form), "".join(found).encode()]
    return b"".join(parts)
