"""The HTTP endpoints. None of them sends a request to a vendor or waits for one."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from importlib.metadata import metadata
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from exporter.presentation.serialize import to_detailed_json, to_json
from exporter.server.messages import HTML, JSON, PLAIN, Response, text_response
from exporter.web.negotiation import accepts_gzip, choose_format
from exporter.web.status_page import status_page
from exporter.web.style import security_headers
from exporter.web.target_page import target_page, unknown_target_page
from exporter.web.usage_csv import CSV, attachment, usage_csv

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.metrics.cache import MetricsCache
    from exporter.server.messages import Request
    from exporter.state.store import StateStore
    from exporter.web.status_page import PageInfo


_PAGES: Final = "/targets/"
_TARGETS: Final = "/api/v1/targets/"
_USAGE: Final = "/usage.csv"


@dataclass(frozen=True, slots=True)
class Application:
    """Handles requests.

    Args:
        metrics: the rendered metrics.
        store: the state of the targets.
        reload: reloads the configuration; returns the error, or None.
        public_config: the current configuration without its secrets, as YAML.
        page_info: what the status page shows besides the targets.
        prefix: path before every path, such as `/docusage`, or nothing.
    """

    metrics: MetricsCache
    store: StateStore
    reload: Callable[[], Awaitable[str | None]]
    public_config: Callable[[], str]
    page_info: PageInfo
    prefix: str = ""

    async def handle(self, request: Request) -> Response:
        """The response to a request; that to HEAD is that to GET."""
        path = request.path.removeprefix(self.prefix)
        if not request.path.startswith(self.prefix) or not path.startswith("/"):
            return self._redirect_or_404(request.path)
        if path == "/-/reload":
            return await self._reload() if request.method == "POST" else _not_allowed(b"POST")
        endpoint = self._endpoint(path)
        if endpoint is None:
            return _not_found()
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed(b"GET, HEAD")
        return endpoint(request)

    def _redirect_or_404(self, path: str) -> Response:
        """A redirect to the status page if only the slash after the prefix is missing."""
        if not path or path != self.prefix:
            return _not_found()
        location = quote(path.rpartition("/")[2]) + "/"
        return text_response(
            308, "Moved to the path with a slash.", (b"location", location.encode())
        )

    def _endpoint(self, path: str) -> Callable[[Request], Response] | None:
        endpoints = {
            "/": self._status,
            "/documentation": self._documentation,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            "/config": self._config,
            "/api/v1/targets": self._targets,
            self.page_info.telemetry_path: self._metrics,
        }
        if path in endpoints:
            return endpoints[path]
        if path.startswith(_PAGES):
            return self._target_page
        return self._target if path.startswith(_TARGETS) else None

    def _metrics(self, request: Request) -> Response:
        form, gzipped = choose_format(request.headers), accepts_gzip(request.headers)
        headers = [(b"vary", b"Accept, Accept-Encoding")]
        if gzipped:
            headers.append((b"content-encoding", b"gzip"))
        body = self.metrics.body(form, gzipped=gzipped)
        return Response(200, form.value, body, tuple(headers))

    def _healthy(self, _: Request) -> Response:
        return text_response(200, "Healthy.")

    def _ready(self, _: Request) -> Response:
        if self.metrics.is_ready:
            return text_response(200, "Ready.")
        return text_response(503, "Not ready: some targets have not been polled yet.")

    def _config(self, _: Request) -> Response:
        return Response(200, PLAIN, self.public_config().encode())

    async def _reload(self) -> Response:
        error = await asyncio.shield(self.reload())  # completed even if the client disconnects
        return text_response(200, "Reloaded.") if error is None else text_response(500, error)

    def _targets(self, _: Request) -> Response:
        targets = [to_json(snapshot) for snapshot in self.store.snapshots()]
        return _json_response(200, {"status": "success", "data": {"targets": targets}})

    def _status(self, request: Request) -> Response:
        body = status_page(self.store.snapshots(), request.query, self.page_info, time.time())
        return Response(200, HTML, body, security_headers())

    def _target_page(self, request: Request) -> Response:
        name = request.path.removeprefix(self.prefix + _PAGES)
        snapshot = self.store.snapshot(name)
        if snapshot is None:
            return Response(404, HTML, unknown_target_page(name), security_headers())
        body = target_page(snapshot, time.time())
        return Response(200, HTML, body, security_headers())

    def _target(self, request: Request) -> Response:
        """One target as JSON, or its use as CSV; its name may even end like the path of the CSV."""
        name = request.path.removeprefix(self.prefix + _TARGETS)
        if snapshot := self.store.snapshot(name):
            return _json_response(200, {"status": "success", "data": to_detailed_json(snapshot)})
        name = name.removesuffix(_USAGE)
        if snapshot := self.store.snapshot(name):
            headers = ((b"content-disposition", attachment(name)),)
            return Response(200, CSV, usage_csv(snapshot), headers)
        error = f"no target is named {name!r}; /api/v1/targets lists all"
        return _json_response(404, {"status": "error", "errorType": "not_found", "error": error})

    def _documentation(self, _: Request) -> Response:
        # The README of this version, from the package's metadata.
        text = metadata("docusage-exporter").json.get("description", "")
        return Response(200, PLAIN, str(text).encode())


def _json_response(status: int, document: dict[str, object]) -> Response:
    body = json.dumps(document, ensure_ascii=False)
    return Response(status, JSON, body.encode(errors="replace"))


def _not_found() -> Response:
    return text_response(404, "Not found.")


def _not_allowed(methods: bytes) -> Response:
    return text_response(405, "Method not allowed.", (b"allow", methods))
