"""How a reply is handed to the server: whole, in order, and never much of it at once."""

from __future__ import annotations

import asyncio

import pytest
from fake_targets import target

from exporter.exposition import Format
from exporter.page import Page
from exporter.snapshot import Snapshot
from exporter.web.pages import Application
from exporter.web.response import asgi
from exporter.web.status_page import Site


def replied(application: Application, method: str) -> list[dict[str, object]]:
    """The ASGI messages of a reply to a request for the metrics."""
    messages: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        messages.append(message)

    request = {"method": method, "path": "/metrics", "headers": [], "query_string": b""}
    asyncio.run(asgi(application.answer)(request, None, send))
    return messages


@pytest.fixture
def page() -> Page:
    """Of 300 targets: more than half a megabyte."""
    snapshot = Snapshot()
    snapshot.adopt(target(f"{number}") for number in range(300))
    return Page(snapshot, tuple, lambda: 0.0)


async def never_reload() -> None: ...


def application(page: Page) -> Application:
    return Application(page, Snapshot(), never_reload, str, Site("1.2.3"))


def test_a_long_page_is_sent_whole_and_in_pieces(page: Page) -> None:
    _, *bodies = replied(application(page), "GET")
    pieces = [message["body"] for message in bodies]
    assert all(isinstance(piece, bytes) and len(piece) <= 65_536 for piece in pieces)
    sent = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    assert sent == page.body(Format.TEXT, gzipped=False)
    assert len(sent) > 500_000
    *but_the_last, last = bodies
    assert all(message["more_body"] for message in but_the_last)
    assert not last["more_body"]


def test_a_question_for_the_head_alone_is_answered_without_a_body(page: Page) -> None:
    start, *bodies = replied(application(page), "HEAD")
    assert start["status"] == 200
    assert bodies == [{"type": "http.response.body", "body": b"", "more_body": False}]
