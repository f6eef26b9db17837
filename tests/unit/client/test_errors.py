"""What statuses and `Retry-After` mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.client.errors import http_error, parse_retry_after
from exporter.model import FailureReason

PAGE = "not the vendor's error document; a proxy, gateway or firewall refused the request"
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
        ("Fri, 27 Feb 2026 00:02:00", 120.0),
        ("Fri, 27 Feb 2026 01:02:00 +0100", 120.0),
        ("Friday, 27-Feb-26 00:02:00 GMT", 120.0),
        ("Fri Feb 27 00:02:00 2026", 120.0),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_630_150_399.0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == seconds


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
        "Fri, 27 Foo 2026 00:00:00 GMT",
        "2026-02-27T00:02:00Z",
    ],
)
def test_an_invalid_retry_after_is_ignored(value: str) -> None:
    expected = 1_772_150_520.0 if value == "1772150520" else None
    assert parse_retry_after(value, NOW) == expected


@given(st.text(st.characters(max_codepoint=255)))
def test_any_retry_after_is_a_time_or_ignored(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("message", "retry_after", "reason", "detail"),
    [
        ("No.", None, FailureReason.AUTH, "HTTP status 403: No."),
        ("", None, FailureReason.AUTH, "HTTP status 403"),
        (None, None, FailureReason.FORBIDDEN, f"HTTP status 403: {PAGE}"),
        (None, 30.0, FailureReason.RATE_LIMITED, "HTTP status 403"),
        ("No.", 30.0, FailureReason.RATE_LIMITED, "HTTP status 403: No."),
    ],
)
def test_403_is_about_the_key_only_in_the_vendors_own_error_document(
    message: str | None, retry_after: float | None, reason: FailureReason, detail: str
) -> None:
    error = http_error(403, message, retry_after)
    assert error.failure == (reason, detail, retry_after)


def test_a_redirect_points_to_base_url() -> None:
    assert http_error(301, None, None).failure == (
        FailureReason.REDIRECT,
        "HTTP status 301: redirects are not followed; check base_url",
        None,
    )
