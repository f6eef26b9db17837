"""JSON as a contract reads it: what Python's reader lets pass is refused."""

from __future__ import annotations

import pytest

from exporter.model import FailureReason, PollError
from exporter.vendors.common.json_parser import parse


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": [1, -2, "x", null, true]}', {"a": [1, -2, "x", None, True]}),
        (b" \r\n\t[] ", []),
        ('"\u00e9"'.encode(), "\u00e9"),
    ],
)
def test_a_document_is_what_it_says(body: bytes, document: object) -> None:
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
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b"\xff\xfe[\x00]\x00",
        b"\xef\xbb\xbf[]",
        b'"\xff"',
        b'"\n"',
        b"01",
        b"9" * 5000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body)[:40],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        parse(body)
    assert caught.value.failure == (FailureReason.MALFORMED, "the reply is not JSON", None)
