"""The pages: what is where, for which methods, and what every answer has."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_http_client import LAST_GET
from web_server import running_web_server

from exporter.config.models import Target
from exporter.metrics.cache import MetricsCache
from exporter.model import Allowance, FailureReason, PollFailure, PollOutcome, PollResult, Sample
from exporter.server.messages import Request, Response
from exporter.state.store import StateStore
from exporter.web.routes import Application
from exporter.web.status_page import Site

PATHS = ["/", "/documentation", "/-/healthy", "/-/ready", "/config", "/api/v1/targets", "/metrics"]
ALLOWANCE = Allowance("acc", "credits", 1000, 700, 300, "credits")
NAME = '<b>"one"&'


def store(*results: PollResult | PollFailure) -> StateStore:
    """Of one target, which was polled with these results."""
    found = StateStore()
    found.set_targets([Target.model_validate({"name": NAME, "vendor": "acme", "api_key": "k1"})])
    for result in results:
        found.record(NAME, PollOutcome(result, 0.5, 1, 1_780_000_000, 1_780_000_900))
    return found


def no_samples() -> list[Sample]:
    return []


def application(
    known: StateStore | None = None,
    reason: str | None = None,
    prefix: str = "",
    telemetry_path: str = "/metrics",
) -> Application:
    async def reload() -> str | None:
        return reason

    known = known or store()
    page = MetricsCache(known, no_samples, clock=lambda: 0.0)
    site = Site("1.2.3", telemetry_path)
    return Application(page, known, reload, lambda: "poll: {}\n", site, prefix)


def answer(
    pages: Application, path: str, method: str = "GET", headers: dict[bytes, bytes] | None = None
) -> Response:
    return asyncio.run(pages.answer(Request(method, path, list((headers or {}).items()))))


def carried(pages: Application, method: str, path: str) -> tuple[bytes, bytes]:
    """Head, but for the time, and body as a client gets them."""

    async def main() -> bytes:
        async with running_web_server(handler=pages.answer) as here:
            return await here.send(LAST_GET.replace(b"GET /", f"{method} {path}".encode()))

    head, _, body = asyncio.run(main()).partition(b"\r\n\r\n")
    return re.sub(rb"\r\ndate: [^\r]* GMT\r\n", b"\r\n", head), body


@pytest.mark.parametrize("path", [*PATHS, "/-/reload", "/no"])
def test_head_is_get_without_its_body(path: str) -> None:
    pages = application(store(PollResult((), (ALLOWANCE,))))
    head, body = carried(pages, "GET", path)
    assert carried(pages, "HEAD", path) == (head, b"")
    assert f"\r\ncontent-length: {len(body)}\r\n".encode() in head
    assert len(body) > 0


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/-/healthy", "text/plain; charset=utf-8"),
        ("/config", "text/plain; charset=utf-8"),
        ("/api/v1/targets", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_each_page_says_what_it_is(path: str, content_type: str) -> None:
    response = answer(application(), path)
    assert (response.status, response.content_type) == (200, content_type)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [*PATHS, "/-/reload", "/no"])
def test_every_answer_keeps_caches_frames_and_scripts_away(method: str, path: str) -> None:
    head, _ = carried(application(), method, path)
    assert b"\r\ncache-control: no-store\r\n" in head
    assert b"\r\nx-content-type-options: nosniff\r\n" in head
    assert b"\r\ncontent-security-policy: default-src 'none';" in head


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", ""])
@pytest.mark.parametrize("path", PATHS)
def test_pages_are_for_get_and_head(method: str, path: str) -> None:
    response = answer(application(), path, method)
    assert (response.status, response.headers) == (405, ((b"allow", b"GET, HEAD"),))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_reload_is_for_post(method: str) -> None:
    response = answer(application(), "/-/reload", method)
    assert (response.status, response.headers) == (405, ((b"allow", b"POST"),))


@pytest.mark.parametrize(
    ("reason", "status", "body"),
    [(None, 200, b"Reloaded.\n"), ("file:1: bad", 500, b"file:1: bad\n")],
)
def test_reload_says_how_it_went(reason: str | None, status: int, body: bytes) -> None:
    response = answer(application(reason=reason), "/-/reload", "POST")
    assert (response.status, response.body) == (status, body)


@pytest.mark.parametrize(
    "path", ["", "metrics", "/metrics/", "//metrics", "/Metrics", "/%6detrics", "/-/", "/config?"]
)
def test_there_is_nothing_else(path: str) -> None:
    assert answer(application(), path).status == 404


@pytest.mark.parametrize("path", PATHS)
def test_with_a_prefix_everything_is_below_it_and_nothing_outside(path: str) -> None:
    pages = application(prefix="/doc/usage")
    assert answer(pages, "/doc/usage" + path).status in {200, 503}
    assert answer(pages, path).status == 404
    assert answer(pages, "/doc/usagex" + path).status == 404
    assert answer(pages, "/x/doc/usage" + path).status == 404


def test_the_prefix_without_its_slash_leads_to_the_status_page() -> None:
    response = answer(application(prefix="/doc/u é"), "/doc/u é")
    assert (response.status, response.headers) == (308, ((b"location", b"u%20%C3%A9/"),))


def test_the_metrics_are_where_they_are_wanted() -> None:
    pages = application(telemetry_path="/telemetry")
    assert answer(pages, "/telemetry").content_type.startswith("text/plain; version=0.0.4")
    assert answer(pages, "/metrics").status == 404
    assert b'<a href="telemetry">' in bytes(answer(pages, "/").body)


def test_metrics_are_compressed_for_who_reads_that() -> None:
    response = answer(application(), "/metrics", headers={b"accept-encoding": b"gzip"})
    assert bytes(response.body)[:2] == b"\x1f\x8b"
    assert response.headers == (
        (b"vary", b"Accept, Accept-Encoding"),
        (b"content-encoding", b"gzip"),
    )


@pytest.mark.parametrize(
    ("results", "status"),
    [((), 503), ((PollResult(()),), 200), ((PollFailure(FailureReason.DNS, "no such host"),), 200)],
)
def test_the_exporter_is_ready_once_every_target_was_polled(
    results: tuple[PollResult | PollFailure, ...], status: int
) -> None:
    assert answer(application(store(*results)), "/-/ready").status == status


def test_targets_are_told_as_json() -> None:
    response = answer(
        application(store(PollFailure(FailureReason.DNS, "no such host"))), "/api/v1/targets"
    )
    (target,) = json.loads(bytes(response.body))["data"]["targets"]
    assert (target["name"], target["up"]) == (NAME, False)
    assert target["last_error"] == {"reason": "dns", "detail": "no such host"}


@given(
    st.text() | st.sampled_from([*PATHS, "/-/reload"]),
    st.text(),
    st.lists(
        st.tuples(st.sampled_from([b"accept", b"accept-encoding"]) | st.binary(), st.binary())
    ),
)
def test_no_method_path_or_header_makes_an_error(
    path: str, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    for wanted in (method, "GET"):
        asyncio.run(application().answer(Request(wanted, path, headers)))
