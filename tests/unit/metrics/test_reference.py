"""docs/metrics.md agrees with the catalogue."""

from __future__ import annotations

from metrics_reference import REFERENCE, tables, with_tables

from exporter.metrics.catalogue import METRICS

TEXT = REFERENCE.read_text(encoding="utf-8")


def test_the_committed_reference_is_what_make_docs_generates() -> None:
    assert tables() in TEXT
    assert with_tables(TEXT) == TEXT


def test_the_reference_lists_every_metric_once() -> None:
    assert [TEXT.count(f"\n| `{metric.name}` |") for metric in METRICS] == [1] * len(METRICS)
