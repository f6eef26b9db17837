"""Vendors with changing faults, in their own process: `python -m benchmarks.faulty_vendors`.

Prints the base URLs of the vendors and of a server that breaks every connection. It reads commands,
one per line: `faults` starts the faults, `recover` ends them and gives every account its next usage
value. It ends with its input.
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
from exporter.demo.vendors import Request, SimulatedResponse, Vendors

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNTS: Final = range(1, 321)
ROUND_STEP: Final = 1000  # added to every usage value by `recover`; more than there are accounts
_FAULT_SECONDS: Final = 3.0  # until an account's fault changes
_TODAY: Final = datetime(2026, 3, 2, 13, tzinfo=UTC)
_KEY: Final = "made-up-"


def is_affinda(account: int) -> bool:
    """Whether the account is Affinda's; otherwise it is Xtracta's."""
    return account % 4 < 2  # noqa: PLR2004  half of the faulty ones, and half of the others


def is_faulty(account: int) -> bool:
    """Whether the account ever has faults."""
    return account % 2 == 1


def key(account: int) -> str:
    """The account's API key."""
    return f"{_KEY}{account}"


def _accounts(base: int) -> Accounts:
    """Every account, with a usage value of `base` plus its number."""
    return Accounts(
        tuple(_organization(account, base) for account in ACCOUNTS if is_affinda(account)),
        tuple(_group(account, base) for account in ACCOUNTS if not is_affinda(account)),
        lambda: _TODAY,
    )


def _organization(account: int, base: int) -> Organization:
    usage = {date(2026, 3, 2): base + account}
    return Organization(f"oRg{account}", f"Customer {account}", key(account), usage)


def _group(account: int, base: int) -> Group:
    start, expiry = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    plan = Plan(7, "Yearly", 390, "NZD", 100_000, base + account, start, expiry)
    return Group(account, f"Customer {account}", key(account), (plan,))


class _FaultyVendors:
    """Vendors whose faulty accounts fail while faults are on."""

    def __init__(self) -> None:
        self._base = 0
        self._has_faults = False
        self._other_accounts = _accounts(1)  # in which every value is another account's
        self.vendors = Vendors(_accounts(0), self._fault)

    def execute(self, command: str) -> None:
        """Start the faults, or end them."""
        self._has_faults = command == "faults"
        if not self._has_faults:
            self._base += ROUND_STEP
            self.vendors.accounts = _accounts(self._base)

    def _fault(self, request: Request) -> SimulatedResponse | None:
        account = _account(request)
        if not self._has_faults or not is_faulty(account):
            return None
        step = account // 2 + int(time.monotonic() / _FAULT_SECONDS)
        return _FAULTS[step % len(_FAULTS)](self._other_accounts, request)


def _account(request: Request) -> int:
    api_key = request.form.get("api_key") or request.headers["authorization"]
    return int(api_key.rpartition("-")[2])


def _response_about_another_account(
    other_accounts: Accounts, request: Request
) -> SimulatedResponse:
    response = Vendors(other_accounts).answer(request)
    body = response.body.replace(b'"oRg', b'"oThErOrG').replace(b"<group_id>", b"<group_id>9")
    return replace(response, body=body)


_FAULTS: Final[tuple[Callable[[Accounts, Request], SimulatedResponse], ...]] = (
    lambda *_: SimulatedResponse(429, {"retry-after": "2"}),
    lambda *_: SimulatedResponse(500, body=b"try again"),
    lambda *_: SimulatedResponse(delay=30),
    lambda *_: SimulatedResponse(body=b'{"scope": "organization", "total": NaN, ['),
    lambda *_: SimulatedResponse(
        body=b"<billings_response><plan><id>7</plan>", content_type="text/xml"
    ),
    lambda *_: SimulatedResponse(302, {"location": "/v3/usage"}),
    lambda *_: SimulatedResponse(body=b" " * 3 * 2**20),
    _response_about_another_account,
)


class _BrokenServer:
    """A server that breaks every connection, and does not speak TLS."""

    def __init__(self) -> None:
        self._faults = cycle((self._truncate, self._trickle, self._reset, self._send_garbage))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Break one connection."""
        with suppress(OSError):  # clients disconnect: that is what this server is for
            start = await reader.read(4096)
            is_tls = start.startswith(b"\x16")
            fault = self._send_garbage if is_tls else next(self._faults)
            await fault(writer)
            writer.close()
            await writer.wait_closed()

    async def _truncate(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"scope": "organ')

    async def _trickle(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def _reset(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def _send_garbage(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff not HTTP \r\n\r\n")


async def main() -> None:
    """Serve, and execute commands until the end of the input."""
    vendors = _FaultyVendors()
    broken = await asyncio.start_server(_BrokenServer().serve, "127.0.0.1", 0)
    port = broken.sockets[0].getsockname()[1]
    async with broken, vendors.vendors.serve() as url:
        sys.stdout.write(f"{url} 127.0.0.1:{port}\n")
        sys.stdout.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            vendors.execute(line.strip())


if __name__ == "__main__":
    asyncio.run(main())
