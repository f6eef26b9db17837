"""What a vendor asks us to wait for, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.client.status import retry_after

NOW = 1_772_150_400.0  # Fri, 27 Feb 2026 00:00:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120\t", 120.0),
        ("007", 7.0),
        ("9999999999", 9_999_999_999.0),
        ("Fri, 27 Feb 2026 00:02:00 GMT", 120.0),
        ("Sat, 28 Feb 2026 00:00:00 GMT", 86_400.0),
        ("Thu, 26 Feb 2026 00:00:00 GMT", 0.0),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_630_150_399.0),
    ],
)
def test_seconds_and_dates_are_understood(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-1",
        "+5",
        "1.5",
        "1e3",
        "0x10",
        "1_000",
        "120 s",
        "1, 2",
        "10000000000",
        "9" * 5000,
        "١٢٠",
        "\u00a0120",
        "nan",
        "inf",
        "1772150520",  # a moment and no time to wait: ten digits are taken as seconds
        "Fri, 30 Feb 2026 00:00:00 GMT",
        "Fri, 27 Feb 2026 24:00:00 GMT",
        "Fri, 27 Foo 2026 00:00:00 GMT",
        "Fri, 27 Feb 2026 00:02:00",
        "Fri, 27 Feb 2026 00:02:00 +0100",
        "Friday, 27-Feb-26 00:02:00 GMT",
        "Fri Feb 27 00:02:00 2026",
        "2026-02-27T00:02:00Z",
    ],
)
def test_nonsense_is_no_wish(value: str) -> None:
    expected = 1_772_150_520.0 if value == "1772150520" else None
    assert retry_after(value, NOW) == expected


@given(st.text(st.characters(max_codepoint=255)))
def test_no_text_does_more_than_ask_for_some_time(value: str) -> None:
    asked = retry_after(value, NOW)
    assert asked is None or asked >= 0
