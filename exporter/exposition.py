"""The page: catalogue and snapshot as the bytes that Prometheus reads.

The lines of a target are rendered once after a change of that target and kept, by metric; a page
joins them. Text and OpenMetrics have the same lines and differ in the heads and in the end mark.
"""

from __future__ import annotations

import gzip
import time
from enum import Enum
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client import exposition as text_exposition
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from exporter.metrics import CATALOGUE, target_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.records import Metric, Sample
    from exporter.snapshot import Entry, Snapshot


class Format(Enum):
    """The two formats, by the content type of their replies."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


MAX_AGE: Final = 1.0  # seconds until a page is made again


def head(metric: Metric, form: Format) -> bytes:
    """The HELP and TYPE lines of a metric."""
    name, kind = metric.name, metric.kind
    if form is Format.OPENMETRICS:
        name = name.removesuffix("_total").removesuffix("_info" if kind == "info" else "")
    elif kind == "info":
        kind = "gauge"
    words = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {words}\n# TYPE {name} {kind}\n".encode()


def number(value: float) -> str:
    """A value as both formats write it: whole numbers without a fraction, nothing rounded."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def line(sample: Sample, target: str | None = None) -> str:
    """The line of a sample; `target`, where given, is its first label's value."""
    values = sample.labels if target is None else (target, *sample.labels)
    pairs = zip(sample.metric.labels, values, strict=True)
    labels = ",".join([f'{name}="{escaped(value)}"' for name, value in pairs])
    braces = f"{{{labels}}}" if labels else ""
    return f"{sample.metric.name}{braces} {number(sample.value)}\n"


def escaped(value: str) -> str:
    """A label's value, as both formats escape it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


Lines = dict[str, bytes]
"""The lines of one target, by the metric's name."""


def target_lines(entry: Entry) -> Lines:
    """Every line of a target."""
    lines: dict[str, str] = {}
    for sample in target_samples(entry):
        name = sample.metric.name
        lines[name] = lines.get(name, "") + line(sample, entry.target.name)
    return {name: text.encode() for name, text in lines.items()}


def document(lines: Iterable[Lines], form: Format) -> bytes:
    """The metrics that have lines, each under its head, in the catalogue's order; no end mark."""
    parts = []
    known = list(lines)
    for metric in CATALOGUE:
        found = [of_target[metric.name] for of_target in known if metric.name in of_target]
        if found:
            parts += [head(metric, form), *found]
    return b"".join(parts)


class Page:
    """The page in both formats, joined again only after something changed.

    Args:
        snapshot: the targets.
        program: the samples about the program itself.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        program: Callable[[], Iterable[Sample]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._snapshot = snapshot
        self._program = program
        self._clock = clock
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._rendered: dict[str, tuple[Entry, Lines]] = {}
        self._bodies: dict[tuple[Format, bool], bytes] = {}
        self._made_at = float("-inf")

    def body(self, form: Format, *, gzipped: bool) -> bytes:
        """The page, at most `MAX_AGE` old."""
        if self._clock() - self._made_at >= MAX_AGE:
            self._bodies.clear()
            self._made_at = self._clock()
        key = form, gzipped
        if key not in self._bodies:
            plain = self.body(form, gzipped=False) if gzipped else self._joined(form)
            self._bodies[key] = gzip.compress(plain, 1, mtime=0) if gzipped else plain
        return self._bodies[key]

    def _joined(self, form: Format) -> bytes:
        return document(self._lines(), form) + self._process_part(form)

    def _lines(self) -> list[Lines]:
        """The lines of the program and of every target; those of unchanged targets as they were."""
        rendered = {}
        for entry in self._snapshot.entries():
            name = entry.target.name
            known = self._rendered.get(name)
            is_same = known is not None and known[0] is entry
            rendered[name] = known if known and is_same else (entry, target_lines(entry))
        self._rendered = rendered
        program = {sample.metric.name: line(sample).encode() for sample in self._program()}
        return [program, *(lines for _, lines in rendered.values())]

    def _process_part(self, form: Format) -> bytes:
        """What the client library knows of the process, and the end mark of OpenMetrics."""
        writer = openmetrics_exposition if form is Format.OPENMETRICS else text_exposition
        return bytes(writer.generate_latest(self._process))
