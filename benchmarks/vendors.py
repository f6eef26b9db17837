"""The simulated vendors in a process of their own: `python -m benchmarks.vendors TARGETS REPLIES`.

Prints the base URL; ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.workload import accounts
from exporter.demo.vendors import Vendors


async def main(targets: int, replies: str) -> None:
    """Answer until nobody is interested any more."""
    async with Vendors(accounts(targets, is_changing=replies == "changed")).serve() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
