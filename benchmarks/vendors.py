"""The simulated vendors in their own process: `python -m benchmarks.vendors TARGETS RESPONSES`.

Prints the base URL; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.workload import accounts
from exporter.demo.vendors import Vendors


async def main(targets: int, responses: str) -> None:
    """Serve until the end of the input."""
    async with Vendors(accounts(targets, is_changing=responses == "changed")).serve() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
