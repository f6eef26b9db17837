"""What a client accepts: every header has an answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.exposition import Format
from exporter.web.negotiation import alternatives, chosen_format, takes_gzip

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
def test_the_format_is_the_one_that_is_asked_for(accept: bytes, form: Format) -> None:
    assert chosen_format([(b"Accept", accept)]) is form


def test_several_headers_are_one() -> None:
    headers = [(b"accept", b"text/plain;q=0.1"), (b"accept", b"application/openmetrics-text;q=0.2")]
    assert chosen_format(headers) is OPENMETRICS
    assert chosen_format([]) is TEXT


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
def test_gzip_is_for_who_takes_it(accept: bytes, *, gzipped: bool) -> None:
    assert takes_gzip([(b"accept-encoding", accept)]) is gzipped


@given(st.lists(st.tuples(st.sampled_from([b"accept", b"ACCEPT"]), st.binary())))
def test_any_bytes_are_alternatives_of_a_quality_from_0_to_1(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert all(0 <= each.quality <= 1 for each in alternatives(headers, b"accept"))


@pytest.mark.parametrize("value", [b"," * 60_000, b";" * 60_000, b"a;q=1," * 10_000])
def test_a_long_header_costs_no_more_than_a_short_one(value: bytes) -> None:
    before = time.process_time()
    assert len(list(alternatives([(b"accept", value)], b"accept"))) <= 32
    assert time.process_time() - before < 0.05
