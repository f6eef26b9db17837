"""Takes the README's pictures of the pages: the demo's targets on one day, in Chromium.

Usage: make pictures
"""

from __future__ import annotations

import asyncio
import os
import sys
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from browser import browser
from programs import program
from vendor_calls import directly

from exporter.app import load_config
from exporter.demo.scenario import demo_accounts, demo_config
from exporter.demo.vendors import Vendors
from exporter.model import PollOutcome
from exporter.polling.limits import RateLimiter
from exporter.polling.poll import PollTarget, poll_once
from exporter.state.store import TargetSnapshot, TargetState
from exporter.vendors import VENDORS
from exporter.web.status_page import PageInfo, status_page
from exporter.web.target_page import target_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.models import Target

FOLDER: Final = Path(__file__).parent.parent.parent / "deploy"
NOW: Final = datetime(2026, 11, 18, 14, 20, tzinfo=UTC)
SHOWN: Final = "acme-us"  # runs out before its month ends
DAYS: Final = 20  # on which totals were read
WIDTH: Final = 960  # pixels
HEIGHTS: Final = {"target-page": 656, "status-page": 672}


@dataclass
class Clock:
    """The vendors' clock, which is set by hand."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


async def snapshots() -> list[TargetSnapshot]:
    """The demo's targets, polled once a day until `NOW`."""
    clock = Clock(NOW)
    accounts = demo_accounts(clock)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(demo_config(accounts, "http://127.0.0.1:1"), encoding="utf-8")
        targets = load_config(path, {}).targets
    states = {target.name: TargetState() for target in targets}
    vendors = Vendors(accounts)
    for age in range(DAYS, -1, -1):
        clock.now = NOW - timedelta(days=age)
        for target in targets:
            outcome = await poll(target, vendors, clock.now.timestamp())
            states[target.name] = states[target.name].after(outcome, inf)
    return [TargetSnapshot(target, states[target.name], is_stale=False) for target in targets]


async def poll(target: Target, vendors: Vendors, at: float) -> PollOutcome:
    """One poll, without any network."""
    fetch = VENDORS[target.vendor].create_poller(target)
    attempt = await poll_once(
        PollTarget(target, fetch, directly(vendors)), RateLimiter(inf), lambda: at
    )
    return PollOutcome(attempt.result, 0.2, attempt.requests, at - 8, at + 7)


def pages() -> Iterator[tuple[str, bytes]]:
    """The pages by the name of their picture."""
    now, known = NOW.timestamp(), asyncio.run(snapshots())
    yield "status-page", status_page(known, b"", PageInfo("0.1.0"), now)
    (shown,) = (each for each in known if each.target.name == SHOWN)
    yield "target-page", target_page(shown, now)


def main(folder: Path = FOLDER) -> None:
    """Take them."""
    with browser(program("chromium", os.environ)) as tab, TemporaryDirectory() as temporary:
        for name, page in pages():
            file = Path(temporary) / f"{name}.html"
            file.write_bytes(page)
            tab.window(WIDTH, HEIGHTS[name], mobile=True)  # without a scroll bar
            tab.open(file.as_uri())
            png = tab.call("Page.captureScreenshot", format="png")["data"]
            (folder / f"{name}.png").write_bytes(b64decode(png))
            sys.stdout.write(f"{folder / name}.png\n")


if __name__ == "__main__":  # pragma: no cover  `make pictures`
    main()
