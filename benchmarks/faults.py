"""What vendors do wrong during a soak."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from raw_peer import BODY, Move, chunks, head, reply

from exporter.demo.exchange import Reply
from exporter.demo.vendors import Vendors
from exporter.demo.world import Group, Organization, Plan, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from raw_peer import Step

    from exporter.demo.exchange import Request

DEEP: Final = b"[" * 100_000
BOMB: Final = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">]><a>&b;</a>'

REPLIES: Final[Sequence[Reply | None]] = (
    None,  # for once, all is well
    Reply(500, body=b"oops"),
    Reply(401, body=b'{"type": "authentication_error", "errors": []}'),
    Reply(429, {"Retry-After": "1"}),
    Reply(503, {"Retry-After": "nonsense"}),
    Reply(302, {"Location": "http://127.0.0.1:9/"}),
    Reply(200, body=b""),
    Reply(200, body=b"\xff\xfe\x00"),
    Reply(200, body=b'{"total": 1e999}'),
    Reply(200, body=DEEP),
    Reply(200, body=BOMB, content_type="text/xml"),
    Reply(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08"),
    Reply(200, body=b"x" * 3_000_000),
    Reply(200, body=b"{}", delay=30.0),
    Reply(200, body=b"null", delay=0.5),
)
"""Well-formed HTTP, from the simulated vendors."""

SCRIPTS: Final[Sequence[Sequence[Step]]] = (
    (reply(),),
    (reply(BODY + b"x"), reply()),
    (Move.RESET,),
    (Move.HANG,),
    (b"",),
    (b"no HTTP\r\n\r\n",),
    (head(b"Content-Length: 999"), BODY),
    (head(b"Content-Length: 999"), BODY, Move.RESET),
    (head(b"Transfer-Encoding: chunked"), chunks(BODY, end=b"")),
    (head(b"Transfer-Encoding: chunked"), b"zz\r\n"),
    (head(*(b"X-%d: y" % number for number in range(10_000))), BODY),
    (*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 50, reply()),
    tuple(step for byte in reply() for step in (bytes([byte]), 0.2)),
    (head(b"Content-Length: 9999999999"), *[b"x" * 65_536] * 200),
)
"""Bytes on the wire, from a bare socket."""


_PACE: Final = "{interval: 10s, timeout: 4s, max_concurrent: 100, requests_per_second: 1000}"


class Scene:
    """Targets and their vendors: every other one fails at times, every third of those on the wire.

    Args:
        count: how many targets.

    Attributes:
        is_bad: whether it is such a time.
        urls: where the simulated vendors are, and the bare socket.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.is_bad = False
        self.urls = ("", "")
        self._random = random.Random(1)  # noqa: S311  repeatable, and no secret
        self.vendors = Vendors(_world(count), self._fault)

    def _fault(self, request: Request) -> Reply | None:
        key = request.headers.get("authorization") or request.form["api_key"]
        is_odd = int(key.rpartition("-")[2]) % 2 == 1
        return self._random.choice(REPLIES) if self.is_bad and is_odd else None

    def script(self, _: bytes) -> Iterable[Step]:
        """How the bare socket answers, whatever it is asked."""
        return self._random.choice(SCRIPTS)

    def config(self, *, whole: bool = True) -> str:
        """The configuration of all targets, or of those that are always well.

        The others are changed by a change of times, and so polled anew at once.
        """
        lines = [f"poll: {_PACE}", "targets:"]
        for number in range(0, self.count, 1 if whole else 2):
            url = self.urls[self.is_bad and number % 6 == 1]
            timeout = 4 if self.is_bad or number % 2 == 0 else 5
            where = f"name: t{number}, base_url: '{url}', poll: {{timeout: {timeout}s}}"
            vendor = _VENDORS[number // 2 % 2].format(number)
            lines.append(f"- {{{where}, api_key: key-{number}, {vendor}}}")
        return "\n".join(lines)


_VENDORS: Final = ("vendor: affinda, organization: o{}", "vendor: xtracta")


def _world(count: int) -> World:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    plan = Plan(1, "Plan", 9, "NZD", 1000, 400, start, start.replace(year=2099))
    usage = {date(2026, 1, 1): 12}
    numbers = range(count)
    return World(
        tuple(Organization(f"o{each}", "O", f"key-{each}", usage) for each in numbers),
        tuple(Group(each + 1, "G", f"key-{each}", (plan,)) for each in numbers),
    )
