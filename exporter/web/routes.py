"""The pages: what is at which path. Nothing here asks a vendor or waits for one."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from importlib.metadata import metadata
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.server.messages import HTML, JSON, PLAIN, Response, text_response
from exporter.state.presentation import to_json
from exporter.web.negotiation import chosen_format, takes_gzip
from exporter.web.status_page import status_page
from exporter.web.status_style import headers as page_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.metrics.cache import MetricsCache
    from exporter.server.messages import Request
    from exporter.state.store import StateStore
    from exporter.web.status_page import Site


@dataclass(frozen=True, slots=True)
class Application:
    """Answers every request, and renders nothing that was rendered before.

    Args:
        page: the metrics.
        snapshot: the targets.
        reload: reads the configuration again; the reason where it is bad, else None.
        public_config: the running configuration without its secrets, as YAML.
        site: what the status page shows beside the targets.
        prefix: path before every path, such as `/docusage`, or nothing.
    """

    page: MetricsCache
    store: StateStore
    reload: Callable[[], Awaitable[str | None]]
    public_config: Callable[[], str]
    site: Site
    prefix: str = ""

    async def answer(self, request: Request) -> Response:
        """The answer to a request; for HEAD it is that to GET."""
        inside = request.path.removeprefix(self.prefix)
        if not request.path.startswith(self.prefix) or not inside.startswith("/"):
            return self._outside(request.path)
        if inside == "/-/reload":
            return await self._reloaded() if request.method == "POST" else _not_allowed(b"POST")
        page = self._found(inside)
        if page is None:
            return text_response(404, "There is no such page.")
        return page(request) if request.method in {"GET", "HEAD"} else _not_allowed(b"GET, HEAD")

    def _outside(self, path: str) -> Response:
        """Nothing; but who forgot the slash behind the prefix is shown the way."""
        if not path or path != self.prefix:
            return text_response(404, "There is no such page.")
        location = quote(path.rpartition("/")[2]) + "/"
        return text_response(
            308, "The page is one slash further.", (b"location", location.encode())
        )

    def _found(self, path: str) -> Callable[[Request], Response] | None:
        pages = {
            "/": self._status,
            "/documentation": self._documentation,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            "/config": self._config,
            "/api/v1/targets": self._targets,
            self.site.telemetry_path: self._metrics,
        }
        return pages.get(path)

    def _metrics(self, request: Request) -> Response:
        form, gzipped = chosen_format(request.headers), takes_gzip(request.headers)
        extra = [(b"vary", b"Accept, Accept-Encoding")]
        if gzipped:
            extra.append((b"content-encoding", b"gzip"))
        return Response(200, form.value, self.page.body(form, gzipped=gzipped), tuple(extra))

    def _healthy(self, _: Request) -> Response:
        return text_response(200, "Healthy.")

    def _ready(self, _: Request) -> Response:
        if self.page.is_ready:
            return text_response(200, "Ready.")
        return text_response(503, "Not ready: some targets have not been polled yet.")

    def _config(self, _: Request) -> Response:
        return Response(200, PLAIN, self.public_config().encode())

    async def _reloaded(self) -> Response:
        reason = await asyncio.shield(self.reload())  # to its end, also where the client leaves
        return text_response(200, "Reloaded.") if reason is None else text_response(500, reason)

    def _targets(self, _: Request) -> Response:
        listed = [to_json(snapshot) for snapshot in self.store.snapshots()]
        body = json.dumps({"status": "success", "data": {"targets": listed}}, ensure_ascii=False)
        return Response(200, JSON, body.encode())

    def _status(self, request: Request) -> Response:
        body = status_page(self.store.snapshots(), request.query, self.site, time.time())
        return Response(200, HTML, body, page_headers())

    def _documentation(self, _: Request) -> Response:
        # The README of this very version, as the package carries it.
        text = metadata("docusage-exporter").json.get("description", "")
        return Response(200, PLAIN, str(text).encode())


def _not_allowed(methods: bytes) -> Response:
    return text_response(405, "This method is not allowed here.", (b"allow", methods))
