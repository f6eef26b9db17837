"""The pages: an ASGI application without a framework, and the server that carries it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import metadata
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import uvicorn

from exporter.exposition import Format
from exporter.status import described
from exporter.status_page import Site, status_page
from exporter.status_style import headers as page_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from exporter.page import Page
    from exporter.snapshot import Snapshot

Headers: TypeAlias = list[tuple[bytes, bytes]]


class Response(NamedTuple):
    """What a page answers."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


_CHUNK: Final = 1 << 18  # bytes: no client, however slow, has much more than this copied for it
_PLAIN: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_JSON: Final = "application/json"


def said(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    """A short answer in words."""
    return Response(status, _PLAIN, f"{text}\n".encode(), headers)


def qualities(headers: Headers, name: bytes) -> dict[str, float]:
    """The alternatives of an `Accept` or `Accept-Encoding` header by quality, 0 to 1.

    Nonsense counts as not said: no header makes an answer fail.
    """
    found: dict[str, float] = {}
    for key, value in headers:
        if key.lower() == name:
            for alternative in value.decode("latin-1").split(","):
                what, *parameters = (part.strip().lower() for part in alternative.split(";"))
                found[what] = max(found.get(what, 0.0), _quality(parameters))
    return found


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 1.0
    return 1.0


def chosen_format(headers: Headers) -> Format:
    """OpenMetrics where it is asked for no less than text."""
    accepted = qualities(headers, b"accept")
    openmetrics = accepted.get("application/openmetrics-text", 0.0)
    text = accepted.get("text/plain", 0.0)
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= text else Format.TEXT


def takes_gzip(headers: Headers) -> bool:
    """Whether the client reads gzip."""
    accepted = qualities(headers, b"accept-encoding")
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0


@dataclass(frozen=True, slots=True)
class Application:
    """Answers every request; asks no vendor, and renders nothing that was rendered before.

    Args:
        page: the metrics.
        snapshot: the targets.
        reload: reads the configuration again; the reason where it is bad, else None.
        public_config: the running configuration without its secrets, as YAML.
        site: what the status page shows beside the targets.
        prefix: path before every path, such as `/docusage`, or nothing.
    """

    page: Page
    snapshot: Snapshot
    reload: Callable[[], Awaitable[str | None]]
    public_config: Callable[[], str]
    site: Site
    prefix: str = ""

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's own
        """One request, as ASGI has it."""
        response = await self.answer(
            scope["method"], scope["path"], scope["headers"], scope["query_string"]
        )
        headers = [
            (b"content-type", response.content_type.encode()),
            (b"content-length", str(len(response.body)).encode()),
            *response.headers,
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else response.body
        for start in range(0, len(body), _CHUNK):
            piece = body[start : start + _CHUNK]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    async def answer(
        self, method: str, path: str, headers: Headers, query: bytes = b""
    ) -> Response:
        """The answer to a request without a body."""
        path = path.removeprefix(self.prefix)
        if path == "/-/reload":
            return await self._reloaded() if method == "POST" else _not_allowed(b"POST")
        page = self._found(path, query)
        if page is None:
            return said(404, "There is no such page.")
        return page(headers) if method in {"GET", "HEAD"} else _not_allowed(b"GET, HEAD")

    def _found(self, path: str, query: bytes) -> Callable[[Headers], Response] | None:
        pages: dict[str, Callable[[Headers], Response]] = {
            "/": partial(self._status, query),
            "/documentation": self._documentation,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            "/config": self._config,
            "/api/v1/targets": self._targets,
            self.site.telemetry_path: self._metrics,
        }
        return pages.get(path)

    def _metrics(self, headers: Headers) -> Response:
        form, gzipped = chosen_format(headers), takes_gzip(headers)
        extra = [(b"vary", b"Accept, Accept-Encoding")]
        if gzipped:
            extra.append((b"content-encoding", b"gzip"))
        return Response(200, form.value, self.page.body(form, gzipped=gzipped), tuple(extra))

    def _healthy(self, _: Headers) -> Response:
        return said(200, "Healthy.")

    def _ready(self, _: Headers) -> Response:
        if self.snapshot.is_ready:
            return said(200, "Ready.")
        return said(503, "Not ready: some targets have not been polled yet.")

    def _config(self, _: Headers) -> Response:
        return Response(200, _PLAIN, self.public_config().encode())

    async def _reloaded(self) -> Response:
        reason = await self.reload()
        return said(200, "Reloaded.") if reason is None else said(500, reason)

    def _targets(self, _: Headers) -> Response:
        listed = [described(entry) for entry in self.snapshot.entries()]
        body = json.dumps({"status": "success", "data": {"targets": listed}}, ensure_ascii=False)
        return Response(200, _JSON, body.encode())

    def _status(self, query: bytes, _: Headers) -> Response:
        body = status_page(self.snapshot.entries(), query, self.site, time.time())
        return Response(200, _HTML, body, page_headers())

    def _documentation(self, _: Headers) -> Response:
        # The README of this very version, as the package carries it.
        text = metadata("docusage-exporter").json.get("description", "")
        return Response(200, _PLAIN, str(text).encode())


def _not_allowed(methods: bytes) -> Response:
    return said(405, "This method is not allowed here.", (b"allow", methods))


class Server(uvicorn.Server):
    """uvicorn, with signals left to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


def server(application: Application) -> Server:
    """What serves the application on sockets that are bound already."""
    return Server(
        uvicorn.Config(
            application,
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
    )
