"""A request, what is answered to it, and how ASGI carries both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

Headers: TypeAlias = list[tuple[bytes, bytes]]
Answer: TypeAlias = "Callable[[Request], Awaitable[Response]]"

PLAIN: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"

_PIECE: Final = 64 * 1024  # what a connection holds in memory of a reply that is read slowly
# Nothing here is for a cache, a frame or a script; the web configuration may say otherwise.
_ALWAYS: Final = {
    b"cache-control": b"no-store",
    b"content-security-policy": (
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
}


class Request(NamedTuple):
    """What is asked; nothing here needs the body. `path` is decoded, `query` is as it came."""

    method: str
    path: str
    headers: Headers
    query: bytes = b""


class Response(NamedTuple):
    """What is answered. `headers` go over those that every response has; names in lower case."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def said(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    """A short answer in words."""
    return Response(status, PLAIN, f"{text}\n".encode(), headers)


def asgi(answer: Answer) -> Callable[[Any, Any, Any], Coroutine[Any, Any, None]]:
    """The ASGI application whose every request `answer` answers."""

    async def run(scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's own
        response = await answer(
            Request(scope["method"], scope["path"], scope["headers"], scope["query_string"])
        )
        headers = _ALWAYS | {
            b"content-type": response.content_type.encode(),
            b"content-length": str(len(response.body)).encode(),
            **dict(response.headers),
        }
        start = {"status": response.status, "headers": list(headers.items())}
        await send({"type": "http.response.start", **start})
        body = b"" if scope["method"] == "HEAD" else response.body
        for at in range(0, len(body), _PIECE):
            # Waits here while the client does not read.
            await send(_body(body[at : at + _PIECE], more_body=True))
        await send(_body(b"", more_body=False))

    return run


def _body(piece: bytes, *, more_body: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": piece, "more_body": more_body}
