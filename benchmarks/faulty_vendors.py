"""Vendors that fail in changing ways, in their own process: `python -m benchmarks.faulty_vendors`.

Prints the base URLs of the vendors and of a peer that breaks every connection. Each line it reads
is `storm` or `calm`, which also gives every account its next figure; ends when its input does.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import cycle
from typing import TYPE_CHECKING, Final

from exporter.demo.accounts import Accounts, Group, Organization, Plan
from exporter.demo.vendors import Reply, Request, Vendors

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNTS: Final = range(1, 321)
STEP: Final = 1000  # by which a calm raises figures; more than there are accounts
_TURN: Final = 3.0  # seconds until an account fails in another way
_TODAY: Final = datetime(2026, 3, 2, 13, tzinfo=UTC)
_KEY: Final = "made-up-"


def is_affinda(number: int) -> bool:
    """Whether the account is one of Affinda's, not of Xtracta's."""
    return number % 4 < 2  # noqa: PLR2004  half of each, whether faulty or not


def is_faulty(number: int) -> bool:
    """Whether a storm reaches the account."""
    return number % 2 == 1


def key(number: int) -> str:
    """The account's key."""
    return f"{_KEY}{number}"


def _accounts(base: int) -> Accounts:
    """Every account with a figure of its own: `base` and its number."""
    return Accounts(
        tuple(_organization(number, base) for number in ACCOUNTS if is_affinda(number)),
        tuple(_group(number, base) for number in ACCOUNTS if not is_affinda(number)),
        lambda: _TODAY,
    )


def _organization(number: int, base: int) -> Organization:
    usage = {date(2026, 3, 2): base + number}
    return Organization(f"oRg{number}", f"Customer {number}", key(number), usage)


def _group(number: int, base: int) -> Group:
    start, expiry = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    plan = Plan(7, "Yearly", 390, "NZD", 100_000, base + number, start, expiry)
    return Group(number, f"Customer {number}", key(number), (plan,))


class _Storm:
    """Vendors whose faulty accounts fail while a storm rages."""

    def __init__(self) -> None:
        self._base = 0
        self._rages = False
        self._foreign = _accounts(1)  # where every figure is another account's
        self.vendors = Vendors(_accounts(0), self._before)

    def heed(self, word: str) -> None:
        """Do what a line says."""
        self._rages = word == "storm"
        if not self._rages:
            self._base += STEP
            self.vendors.accounts = _accounts(self._base)

    def _before(self, request: Request) -> Reply | None:
        number = _account(request)
        if not self._rages or not is_faulty(number):
            return None
        turn = number // 2 + int(time.monotonic() / _TURN)
        return _FAULTS[turn % len(_FAULTS)](self._foreign, request)


def _account(request: Request) -> int:
    key = request.form.get("api_key") or request.headers["authorization"]
    return int(key.rpartition("-")[2])


def _of_another(foreign: Accounts, request: Request) -> Reply:
    """A faultless reply, about someone else."""
    reply = Vendors(foreign).answer(request)
    body = reply.body.replace(b'"oRg', b'"sOmEoNe').replace(b"<group_id>", b"<group_id>9")
    return replace(reply, body=body)


_FAULTS: Final[tuple[Callable[[Accounts, Request], Reply], ...]] = (
    lambda *_: Reply(429, {"retry-after": "2"}),
    lambda *_: Reply(500, body=b"try again"),
    lambda *_: Reply(delay=30),
    lambda *_: Reply(body=b'{"scope": "organization", "total": NaN, ['),
    lambda *_: Reply(body=b"<billings_response><plan><id>7</plan>", content_type="text/xml"),
    lambda *_: Reply(302, {"location": "/v3/usage"}),
    lambda *_: Reply(body=b" " * 3 * 2**20),
    _of_another,
)


class _Breaker:
    """A peer that keeps no connection to its proper end; TLS it does not speak."""

    def __init__(self) -> None:
        self._ways = cycle((self._cut, self._drip, self._reset, self._garble))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Break one connection."""
        with suppress(OSError):  # whom it serves goes away, that is what it is for
            start = await reader.read(4096)
            way = self._garble if start.startswith(b"\x16") else next(self._ways)
            await way(writer)
            writer.close()
            await writer.wait_closed()

    async def _cut(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"scope": "organ')

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def _reset(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def _garble(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff nothing that anybody understands \r\n\r\n")


async def main() -> None:
    """Fail as told, until nobody tells any more."""
    storm = _Storm()
    breaking = await asyncio.start_server(_Breaker().serve, "127.0.0.1", 0)
    port = breaking.sockets[0].getsockname()[1]
    async with breaking, storm.vendors.serve() as url:
        sys.stdout.write(f"{url} 127.0.0.1:{port}\n")
        sys.stdout.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            storm.heed(line.strip())


if __name__ == "__main__":
    asyncio.run(main())
