"""A vendor that another company adds: a module and its entry point, as pip would install them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MODULE: Final = '''
"""Pages of the made-up vendor Folio: `GET /pages` gives `{"used": 3, "allowed": 10}`."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from exporter.client.client import Request
from exporter.config.models import Target
from exporter.model import Allowance, HistoricalResult, MetricFamily, PollResult, Sample
from exporter.past_usage import Account, DailyUsage, Money, Period
from exporter.vendors.base import History, Vendor
from exporter.days import DAY, DAY_SECONDS, days_between, midnight_seconds

USED = MetricFamily("folio_pages_used", "gauge", "Pages used.", ("target", "account"))


class Settings(Target):
    vendor: Literal["folio"]
    account: str


def create_poller(settings):
    async def poll(send, now):
        pages = json.loads(await send(Request("GET", f"{settings.address}/pages")))
        return result(settings.account, pages)

    return poll


async def read(settings, send, query):
    yield json.loads(await send(Request("GET", f"{settings.address}/past")))


def to_results(settings, past, query):
    for day in days_between(query.first, query.last):
        begin = midnight_seconds(day)
        yield HistoricalResult(begin, begin + DAY_SECONDS, result(settings.account, past))


def to_usage(settings, past, query):
    account = Account("account", settings.account, "Folio Ltd")
    start, end = (datetime.combine(day, datetime.min.time(), UTC) for day in query[:2])
    allowed, price = past["allowed"], Money(Decimal("0.015"), "EUR")
    counts = tuple(past["used"] for _ in days_between(query.first, query.last))
    yield DailyUsage(account, None, "pages", query.first, counts, query.last + DAY, price)
    yield Period(
        account, "pack", "p1", "Pages", "pages", start, end + DAY, allowed, sum(counts),
        price.times(allowed), is_used_by_day=True,
    )


def result(account, pages):
    used, allowed = pages["used"], pages["allowed"]
    allowance = Allowance(
        account, "pages", allowed, used, allowed - used, "pages", account_name="Folio Ltd"
    )
    return PollResult((Sample(USED, (account,), used),), (allowance,))


VENDOR = Vendor(
    Settings, (USED,), create_poller, History(read, to_results, to_usage), "Folio"
)
'''


def install_plugin(
    folder: Path, module: str = MODULE, *, name: str = "folio", value: str = "folio_usage:VENDOR"
) -> None:
    """Put a plug-in into a folder of Python's path."""
    (folder / "folio_usage.py").write_text(module)
    info = folder / "folio_usage-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: folio-usage\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[docusage_exporter.vendors]\n{name} = {value}\n")
