"""Requests to vendors."""

from __future__ import annotations

from exporter.client.client import Request


def test_a_request_shows_neither_headers_nor_body_and_has_no_error_message_by_default() -> None:
    request = Request("POST", "https://api/x", {"Authorization": "made-up-key"}, body=b"made-up")
    assert "made-up" not in repr(request)
    assert request.error_message(b"anything") is None
