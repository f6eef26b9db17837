"""The endpoints: paths, methods and headers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages_of_targets import affinda_target, use
from raw_http_client import LAST_GET
from served_pages import application_with
from web_server import running_web_server

from exporter.config.models import Target
from exporter.metrics.cache import MetricsCache
from exporter.model import Allowance, FailureReason, PollFailure, PollOutcome, PollResult, Sample
from exporter.server.messages import Request, Response
from exporter.state.store import StateStore
from exporter.web.routes import Application
from exporter.web.status_page import PageInfo

PATHS = ["/", "/documentation", "/-/healthy", "/-/ready", "/config", "/api/v1/targets", "/metrics"]
TARGET_PATHS = ["/targets/{}", "/api/v1/targets/{}", "/api/v1/targets/{}/usage.csv"]
ALLOWANCE = Allowance("acc", "credits", 1000, 700, 300, "credits")
NAME = '<b>"one"&'


def store(*results: PollResult | PollFailure) -> StateStore:
    """A store of one target that was polled with these results."""
    new = StateStore()
    new.set_targets([Target.model_validate({"name": NAME, "vendor": "acme", "api_key": "k1"})])
    for result in results:
        new.record(NAME, PollOutcome(result, 0.5, 1, 1_780_000_000, 1_780_000_900))
    return new


def no_samples() -> list[Sample]:
    return []


def make_application(
    known: StateStore | None = None,
    reason: str | None = None,
    prefix: str = "",
    telemetry_path: str = "/metrics",
) -> Application:
    async def reload() -> str | None:
        return reason

    known = known or store()
    metrics = MetricsCache(known, no_samples, clock=lambda: 0.0)
    info = PageInfo("1.2.3", telemetry_path)
    return Application(metrics, known, reload, lambda: "poll: {}\n", info, prefix)


def get(
    application: Application,
    path: str,
    method: str = "GET",
    headers: dict[bytes, bytes] | None = None,
) -> Response:
    return asyncio.run(application.handle(Request(method, path, list((headers or {}).items()))))


def sent(application: Application, method: str, path: str) -> tuple[bytes, bytes]:
    """The response as sent to a client: head, without the date, and body."""

    async def main() -> bytes:
        async with running_web_server(handler=application.handle) as here:
            return await here.send(LAST_GET.replace(b"GET /", f"{method} {path}".encode()))

    head, _, body = asyncio.run(main()).partition(b"\r\n\r\n")
    return re.sub(rb"\r\ndate: [^\r]* GMT\r\n", b"\r\n", head), body


@pytest.mark.parametrize("path", [*PATHS, "/-/reload", "/no"])
def test_the_response_to_head_is_that_to_get_without_the_body(path: str) -> None:
    application = make_application(store(PollResult((), (ALLOWANCE,))))
    head, body = sent(application, "GET", path)
    assert sent(application, "HEAD", path) == (head, b"")
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
def test_every_endpoint_sends_its_content_type(path: str, content_type: str) -> None:
    response = get(make_application(), path)
    assert (response.status, response.content_type) == (200, content_type)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [*PATHS, "/-/reload", "/no"])
def test_every_response_forbids_caching_frames_and_scripts(method: str, path: str) -> None:
    head, _ = sent(make_application(), method, path)
    assert b"\r\ncache-control: no-store\r\n" in head
    assert b"\r\nx-content-type-options: nosniff\r\n" in head
    assert b"\r\ncontent-security-policy: default-src 'none';" in head


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", ""])
@pytest.mark.parametrize("path", PATHS)
def test_endpoints_allow_only_get_and_head(method: str, path: str) -> None:
    response = get(make_application(), path, method)
    assert (response.status, response.headers) == (405, ((b"allow", b"GET, HEAD"),))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_reload_allows_only_post(method: str) -> None:
    response = get(make_application(), "/-/reload", method)
    assert (response.status, response.headers) == (405, ((b"allow", b"POST"),))


@pytest.mark.parametrize(
    ("reason", "status", "body"),
    [(None, 200, b"Reloaded.\n"), ("file:1: bad", 500, b"file:1: bad\n")],
)
def test_reload_responds_with_its_result(reason: str | None, status: int, body: bytes) -> None:
    response = get(make_application(reason=reason), "/-/reload", "POST")
    assert (response.status, response.body) == (status, body)


@pytest.mark.parametrize(
    "path", ["", "metrics", "/metrics/", "//metrics", "/Metrics", "/%6detrics", "/-/", "/config?"]
)
def test_other_paths_are_not_found(path: str) -> None:
    assert get(make_application(), path).status == 404


@pytest.mark.parametrize("path", PATHS)
def test_with_a_prefix_all_endpoints_are_below_it(path: str) -> None:
    application = make_application(prefix="/doc/usage")
    assert get(application, "/doc/usage" + path).status in {200, 503}
    assert get(application, path).status == 404
    assert get(application, "/doc/usagex" + path).status == 404
    assert get(application, "/x/doc/usage" + path).status == 404


def test_the_prefix_without_a_slash_redirects_to_the_status_page() -> None:
    response = get(make_application(prefix="/doc/u é"), "/doc/u é")
    assert (response.status, response.headers) == (308, ((b"location", b"u%20%C3%A9/"),))


def test_metrics_are_at_the_telemetry_path() -> None:
    application = make_application(telemetry_path="/telemetry")
    assert get(application, "/telemetry").content_type.startswith("text/plain; version=0.0.4")
    assert get(application, "/metrics").status == 404
    assert b'<a href="telemetry">' in bytes(get(application, "/").body)


def test_metrics_are_compressed_for_a_client_that_accepts_gzip() -> None:
    response = get(make_application(), "/metrics", headers={b"accept-encoding": b"gzip"})
    assert bytes(response.body)[:2] == b"\x1f\x8b"
    assert response.headers == (
        (b"vary", b"Accept, Accept-Encoding"),
        (b"content-encoding", b"gzip"),
    )


@pytest.mark.parametrize(
    ("results", "status"),
    [((), 503), ((PollResult(()),), 200), ((PollFailure(FailureReason.DNS, "no such host"),), 200)],
)
def test_the_exporter_is_ready_once_every_target_has_been_polled(
    results: tuple[PollResult | PollFailure, ...], status: int
) -> None:
    assert get(make_application(store(*results)), "/-/ready").status == status


def test_targets_are_listed_as_json() -> None:
    response = get(
        make_application(store(PollFailure(FailureReason.DNS, "no such host"))), "/api/v1/targets"
    )
    (target,) = json.loads(bytes(response.body))["data"]["targets"]
    assert (target["name"], target["up"]) == (NAME, False)
    assert target["last_error"] == {"reason": "dns", "detail": "no such host"}


NAMES = ["acme", "a/b", "ünï cöde", "50%", "..", "a/usage.csv", "/", '<b>"one"&']


@pytest.mark.parametrize("name", NAMES)
def test_a_target_has_pages_of_its_own_whatever_its_name(name: str) -> None:
    application = application_with([affinda_target(name)])
    page, figures, usage = (sent(application, "GET", path.format(quote(name, safe="")))
                            for path in TARGET_PATHS)  # fmt: skip
    assert page[0].startswith(b"HTTP/1.1 200 ")
    assert b"\r\ncontent-type: text/html; charset=utf-8\r\n" in page[0]
    assert f"<h1><bdi>{escape(name)}</bdi></h1>".encode() in page[1]
    assert json.loads(figures[1])["data"]["name"] == name
    assert b"\r\ncontent-type: text/csv; charset=utf-8\r\n" in usage[0]
    assert b'\r\ncontent-disposition: attachment; filename="usage.csv"; filename*=' in usage[0]
    assert usage[1].startswith(b"date,target,scope,")


def test_a_name_that_ends_like_the_csv_is_the_name() -> None:
    application = application_with([affinda_target("a"), affinda_target("a/usage.csv")])
    assert get(application, "/api/v1/targets/a/usage.csv").content_type == "application/json"
    assert get(application, "/api/v1/targets/a/usage.csv/usage.csv").content_type.startswith("text")


@pytest.mark.parametrize("path", TARGET_PATHS)
@pytest.mark.parametrize("name", ["unknown", "", "acme/", "ACME", "<script>", "../acme", "acme?"])
def test_an_unknown_target_is_not_found(path: str, name: str) -> None:
    response = get(application_with([affinda_target("acme")]), path.format(name))
    body = bytes(response.body)
    assert response.status == 404
    if response.content_type == "application/json":
        assert json.loads(body)["status"] == "error"
        assert name in json.loads(body)["error"]
    else:
        assert b'<a href="../">All targets</a>' in body
        assert b"<script>" not in body


@pytest.mark.parametrize("path", [path.format("acme") for path in TARGET_PATHS])
def test_pages_of_a_target_are_as_strict_as_the_others(path: str) -> None:
    application = application_with([affinda_target("acme")], prefix="/doc")
    assert get(application, path).status == 404
    head, body = sent(application, "GET", f"/doc{path}")
    assert sent(application, "HEAD", f"/doc{path}") == (head, b"")
    assert body
    assert b"\r\ncontent-security-policy: default-src 'none';" in head
    assert b"\r\ncache-control: no-store\r\n" in head
    response = get(application, f"/doc{path}", "POST")
    assert (response.status, response.headers) == (405, ((b"allow", b"GET, HEAD"),))


def test_the_status_page_links_to_each_target_and_shows_its_use() -> None:
    body = bytes(get(application_with([affinda_target("a/b")]), "/").body).decode()
    assert '<h2><a href="targets/a%2Fb"><bdi>a/b</bdi></a></h2>' in body
    assert '<svg class="spark" role="img" aria-label="use by day"' in body
    assert f"{sum(use()[-30:]):,} credits in 30 days" in body
    stale = affinda_target("a")._replace(is_stale=True)
    assert '<svg class="spark"' not in bytes(get(application_with([stale]), "/").body).decode()
    first = affinda_target("a", days=1)
    assert "credits in 1 day<" in bytes(get(application_with([first]), "/").body).decode()


@given(
    st.text()
    | st.sampled_from([*PATHS, "/-/reload"])
    | st.builds(str.format, st.sampled_from(TARGET_PATHS), st.text()),
    st.text(),
    st.lists(
        st.tuples(st.sampled_from([b"accept", b"accept-encoding"]) | st.binary(), st.binary())
    ),
)
def test_any_method_path_and_header_gets_a_response(
    path: str, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    for wanted in (method, "GET"):
        asyncio.run(make_application().handle(Request(wanted, path, headers)))


def test_a_reload_goes_on_to_its_end_though_its_client_leaves() -> None:
    async def main() -> None:
        begun, release, is_done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def reload() -> str | None:
            begun.set()
            await release.wait()
            is_done.set()
            return None

        pages = dataclasses.replace(make_application(), reload=reload)
        request = asyncio.create_task(pages.handle(Request("POST", "/-/reload", [])))
        await begun.wait()
        request.cancel()
        await asyncio.wait([request])
        release.set()
        await is_done.wait()

    asyncio.run(main())
