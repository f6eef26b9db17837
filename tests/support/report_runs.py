"""Reads what a report is about from simulated vendors, over the network."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from exporter_process import served
from own_thread import in_own_thread
from past_usages import plan_of

from exporter.app import load_config
from exporter.client.client import HttpClient
from exporter.history.progress import Progress
from exporter.polling.limits import RateLimiter
from exporter.reports.run import Reading, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.demo.vendors import Vendors
    from exporter.reports.options import DayRange


def reading_of(
    folder: Path, vendors: Vendors, config: Callable[[str], str], days: DayRange, by: str
) -> Reading:
    """What is read of every target of a configuration, given the vendors' URL."""
    with served(vendors) as url:
        path = folder / "config.yaml"
        path.write_text(config(url), encoding="utf-8")
        plan = plan_of(targets=load_config(path, {}).targets, days=days, by=by)
        progress = Progress(len(plan.targets), io.StringIO())
        reading = read(plan, HttpClient("tests"), RateLimiter(1000.0), progress)
        return in_own_thread(asyncio.run, reading)
