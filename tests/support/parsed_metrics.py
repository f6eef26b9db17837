"""A page as the client library's own parsers read it."""

from __future__ import annotations

from typing import TypeAlias

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from exporter.metrics.exposition import Format

Parsed: TypeAlias = list[tuple[str, str, str, list[tuple[str, dict[str, str], float]]]]
"""Name, type, help and samples of each family."""


def parsed(page: str, form: Format) -> Parsed:
    read = read_openmetrics if form is Format.OPENMETRICS else read_text
    return [
        (
            family.name,
            family.type,
            family.documentation,
            [(sample.name, sample.labels, sample.value) for sample in family.samples],
        )
        for family in read(page)
    ]
