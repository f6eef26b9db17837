"""The pages: an ASGI application without a framework, and the server that carries it."""

from __future__ import annotations

import html
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import uvicorn

from exporter.exposition import Format
from exporter.status import described, words_of_allowance, words_of_state

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from exporter.page import Page
    from exporter.snapshot import Entry, Snapshot

Headers: TypeAlias = list[tuple[bytes, bytes]]


class Response(NamedTuple):
    """What a page answers."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


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
        prefix: path before every path, such as `/docusage`, or nothing.
        telemetry_path: where the metrics are.
    """

    page: Page
    snapshot: Snapshot
    reload: Callable[[], Awaitable[str | None]]
    public_config: Callable[[], str]
    prefix: str = ""
    telemetry_path: str = "/metrics"

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's own
        """One request, as ASGI has it."""
        response = await self.answer(scope["method"], scope["path"], scope["headers"])
        headers = [
            (b"content-type", response.content_type.encode()),
            (b"content-length", str(len(response.body)).encode()),
            *response.headers,
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body})

    async def answer(self, method: str, path: str, headers: Headers) -> Response:
        """The answer to a request without a body."""
        path = path.removeprefix(self.prefix)
        if path == "/-/reload":
            return await self._reloaded() if method == "POST" else _not_allowed(b"POST")
        page = self._found(path)
        if page is None:
            return said(404, "There is no such page.")
        return page(headers) if method in {"GET", "HEAD"} else _not_allowed(b"GET, HEAD")

    def _found(self, path: str) -> Callable[[Headers], Response] | None:
        pages = {
            "/": self._landing,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            "/config": self._config,
            "/api/v1/targets": self._targets,
            self.telemetry_path: self._metrics,
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

    def _landing(self, _: Headers) -> Response:
        links = "".join(
            f'<li><a href="{self.prefix}{path}">{words}</a></li>'
            for path, words in (
                (self.telemetry_path, "Metrics"),
                ("/api/v1/targets", "Targets (JSON)"),
                ("/config", "Configuration"),
                ("/-/healthy", "Healthy?"),
                ("/-/ready", "Ready?"),
            )
        )
        rows = "".join(map(_row, self.snapshot.entries()))
        return Response(200, _HTML, _LANDING.format(links=links, rows=rows).encode())


def _not_allowed(methods: bytes) -> Response:
    return said(405, "This method is not allowed here.", (b"allow", methods))


_LANDING: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>docusage-exporter</title></head>
<body>
<h1>docusage-exporter</h1>
<p>Prometheus exporter for document-AI usage: Affinda credits and Xtracta plan allowances.</p>
<ul>{links}</ul>
<table>
<thead><tr><th>Target</th><th>Vendor</th><th>State</th><th>What is left</th></tr></thead>
<tbody>{rows}</tbody>
</table>
</body>
</html>
"""


def _row(entry: Entry) -> str:
    left = "; ".join(map(words_of_allowance, entry.allowances))
    cells = (entry.target.name, entry.target.vendor, words_of_state(entry), left)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


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
