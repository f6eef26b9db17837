"""A vendor that another company adds: a module and its entry point, as pip would install them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MODULE: Final = '''
"""Pages of the made-up vendor Folio: `GET /pages` gives `{"used": 3, "allowed": 10}`."""

import json
from typing import Literal

from exporter.client.client import Request
from exporter.config.models import Target
from exporter.model import Allowance, HistoricalResult, MetricFamily, PollResult, Sample
from exporter.vendors.base import Vendor
from exporter.vendors.common.days import DAY, days_between, midnight

USED = MetricFamily("folio_pages_used", "gauge", "Pages used.", ("target", "account"))


class Settings(Target):
    vendor: Literal["folio"]
    account: str


def create_poller(settings):
    async def poll(send, now):
        pages = json.loads(await send(Request("GET", f"{settings.address}/pages")))
        return result(settings.account, pages)

    return poll


async def history(settings, send, first, last):
    past = json.loads(await send(Request("GET", f"{settings.address}/past")))
    yield [
        HistoricalResult(midnight(day), midnight(day + DAY), result(settings.account, past))
        for day in days_between(first, last)
    ]


def result(account, pages):
    used, allowed = pages["used"], pages["allowed"]
    allowance = Allowance(
        account, "pages", allowed, used, allowed - used, "pages", account_name="Folio Ltd"
    )
    return PollResult((Sample(USED, (account,), used),), (allowance,))


VENDOR = Vendor(Settings, (USED,), create_poller, history)
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
