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
from exporter.history.reader import HistoryReader
from exporter.polling.limits import RateLimiter
from exporter.reports.run import Reading, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.demo.vendors import Vendors
    from exporter.reports.options import DayRange


def silent_reader() -> HistoryReader:
    """Reads without a rate limit that a test would notice, and shows no progress."""
    return HistoryReader(HttpClient("tests"), RateLimiter(1000.0), Progress(1, io.StringIO()))


def reading_of(
    folder: Path, vendors: Vendors, config: Callable[[str], str], days: DayRange, by: str
) -> Reading:
    """What is read of every target of a configuration, given the vendors' URL."""
    with served(vendors) as url:
        path = folder / "config.yaml"
        path.write_text(config(url), encoding="utf-8")
        plan = plan_of(targets=load_config(path, {}).targets, days=days, by=by)
        return in_own_thread(asyncio.run, read(plan, silent_reader()))
