"""The simulated vendors in their own process: `python -m benchmarks.vendors TARGETS RESPONSES`.

Prints the base URL; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from benchmarks.workload import accounts
from exporter.demo import affinda
from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.demo.accounts import Accounts
    from exporter.demo.vendors import Request, SimulatedResponse


async def main(targets: int, responses: str) -> None:
    """Serve until the end of the input."""
    vendors = Vendors(accounts(targets, is_changing=responses == "changed"))
    if responses == "unchanged":
        vendors.before = _cached(vendors.accounts)
    async with vendors.serve() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _cached(accounts: Accounts) -> Callable[[Request], SimulatedResponse]:
    """The vendors take little of the processor that the exporter and its clients share."""
    known: dict[tuple[str, ...], SimulatedResponse] = {}

    def respond(request: Request) -> SimulatedResponse:
        key = (request.path, str(request.query), request.headers["authorization"])
        if key not in known:
            known[key] = affinda.respond(accounts, request)
        return known[key]

    return respond


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
