"""Content negotiation."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.exposition import Format
from exporter.web.negotiation import accept_entries, accepts_gzip, choose_format

TEXT, OPENMETRICS = Format.TEXT, Format.OPENMETRICS
PROMETHEUS_3 = (
    b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    b"application/openmetrics-text;version=0.0.1;q=0.5,"
    b"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2 = (
    b"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
    b"q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PROMETHEUS_3, OPENMETRICS),
        (PROMETHEUS_2, OPENMETRICS),
        (b"text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.4", TEXT),
        (b"application/openmetrics-text", OPENMETRICS),
        (b"Application/OpenMetrics-Text ; Version=1.0.0", OPENMETRICS),
        (b"application/openmetrics-text; version=2.0.0", TEXT),
        (b"application/openmetrics-text; version=banana", TEXT),
        (b"application/openmetrics-text; q=0", TEXT),
        (b"application/openmetrics-text; q=0.000", TEXT),
        (b"application/openmetrics-text; q=banana", OPENMETRICS),
        (b"application/openmetrics-text; q=nan", OPENMETRICS),
        (b"application/openmetrics-text; q=1_0", OPENMETRICS),
        (b"application/openmetrics-text; q=0.5, text/plain; q=1.999", TEXT),
        (b"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", TEXT),
        (b"text/plain; version=1.x.0", TEXT),
        (b"text/html,*/*;q=0.8", TEXT),
        (b"*/*", TEXT),
        (b"", TEXT),
        (b"\xff\xfe;;=,,;q=", TEXT),
    ],
)
def test_the_accept_header_chooses_the_format(accept: bytes, form: Format) -> None:
    assert choose_format([(b"accept", accept)]) is form


def test_several_accept_headers_are_combined() -> None:
    headers = [(b"accept", b"text/plain;q=0.1"), (b"accept", b"application/openmetrics-text;q=0.2")]
    assert choose_format(headers) is OPENMETRICS
    assert choose_format([]) is TEXT


@pytest.mark.parametrize(
    ("accept", "gzipped"),
    [
        (b"gzip", True),
        (b"gzip, deflate, br", True),
        (b"GZIP;q=0.5", True),
        (b"*", True),
        (b"br, *;q=0.1", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.0, *", False),
        (b"*;q=0", False),
        (b"identity", False),
        (b"gzipped", False),
        (b"", False),
    ],
)
def test_the_accept_encoding_header_chooses_gzip(accept: bytes, *, gzipped: bool) -> None:
    assert accepts_gzip([(b"accept-encoding", accept)]) is gzipped


@given(st.lists(st.tuples(st.just(b"accept"), st.binary())))
def test_any_bytes_are_parsed_to_entries_with_a_quality_from_0_to_1(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert all(0 <= each.quality <= 1 for each in accept_entries(headers, b"accept"))


@pytest.mark.parametrize("value", [b"," * 60_000, b";" * 60_000, b"a;q=1," * 10_000])
def test_only_the_first_entries_of_a_long_header_are_parsed(value: bytes) -> None:
    before = time.process_time()
    assert len(list(accept_entries([(b"accept", value)], b"accept"))) <= 32
    assert time.process_time() - before < 0.05
