"""Requests and responses."""

from __future__ import annotations

from exporter.server.messages import Response, text_response

DATE = b"Sat, 23 May 2026 10:00:00 GMT"


def test_a_response_begins_with_its_status_and_headers() -> None:
    response = Response(200, "text/plain", b"abc", ((b"vary", b"Accept"),))
    assert response.head(DATE, closes=False) == (
        b"HTTP/1.1 200 OK\r\ndate: Sat, 23 May 2026 10:00:00 GMT\r\ncontent-type: text/plain\r\n"
        b"content-length: 3\r\nvary: Accept\r\n\r\n"
    )


def test_the_last_of_two_headers_with_the_same_name_is_sent() -> None:
    response = text_response(404, "No such page.", (b"date", b"today"), (b"date", b"tomorrow"))
    assert response.head(DATE, closes=True) == (
        b"HTTP/1.1 404 Not Found\r\ndate: tomorrow\r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"content-length: 14\r\nconnection: close\r\n\r\n"
    )


def test_an_unknown_status_has_no_phrase() -> None:
    assert text_response(599, "").head(DATE, closes=False).startswith(b"HTTP/1.1 599 \r\n")
