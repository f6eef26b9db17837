"""JSON responses: exact types, and what cannot be read costs only itself."""

from __future__ import annotations

import pytest

from exporter.model import FailureReason, PollError
from exporter.vendors.common.json_parser import UNREADABLE, parse


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": [1, -2, "x", null, true]}', {"a": [1, -2, "x", None, True]}),
        (b" \r\n\t[] ", []),
        ('"\u00e9"'.encode(), "\u00e9"),
        (b"\xef\xbb\xbf[]", []),
        (b'"a\nb"', "a\nb"),
        (b'"\xff"', "\ufffd"),
        (b"NaN", UNREADABLE),
        (b"[Infinity, -Infinity]", [UNREADABLE, UNREADABLE]),
        (b"[1, " + b"9" * 5000 + b"]", [1, UNREADABLE]),
        (b'{"a": 1, "a": 2, "b": 3}', {"a": UNREADABLE, "b": 3}),
        (b'{"a": 1, "a": 1}', {"a": 1}),
        (b'{"a": {"b": 1, "b": 2, "b": 2}}', {"a": {"b": UNREADABLE}}),
    ],
)
def test_what_cannot_be_read_costs_only_itself(body: bytes, document: object) -> None:
    assert parse(body) == document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{'a': 1}",
        b"[1] [2]",
        b"[1]\0",
        b"\xff\xfe[\x00]\x00",
        b"01",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body)[:40],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        parse(body)
    assert caught.value.reason == FailureReason.MALFORMED


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "a damaged or other document"),
        (b"<HTML><p>", "an HTML page (of a proxy, a sign-in or an error)"),
        (b"\n<!DOCTYPE html>", "an HTML page (of a proxy, a sign-in or an error)"),
        (b"\xef\xbb\xbf<html", "an HTML page (of a proxy, a sign-in or an error)"),
    ],
)
def test_the_error_says_what_the_response_is_instead(body: bytes, what: str) -> None:
    with pytest.raises(PollError) as caught:
        parse(body)
    assert caught.value.detail == f"the response is {what}, not JSON"
