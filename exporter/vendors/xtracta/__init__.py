"""Xtracta: documents of the plans and packs of one or several groups.

Source: Xtracta API v1, `POST /v1/billings/usage` and `POST /v1/group/list`.
"""

from typing import Final

from exporter.vendors.base import Vendor
from exporter.vendors.xtracta.api import (
    Plan,
    Usage,
    api_request,
    check_envelope,
    parse_timestamp,
    parse_usage,
)
from exporter.vendors.xtracta.fields import FIELDS
from exporter.vendors.xtracta.history import history
from exporter.vendors.xtracta.mapper import poll_result
from exporter.vendors.xtracta.metrics import METRICS
from exporter.vendors.xtracta.poller import create_poller
from exporter.vendors.xtracta.settings import Settings

VENDOR: Final = Vendor(Settings, METRICS, create_poller, history, FIELDS)

__all__ = [
    "METRICS",
    "VENDOR",
    "Plan",
    "Settings",
    "Usage",
    "api_request",
    "check_envelope",
    "create_poller",
    "history",
    "parse_timestamp",
    "parse_usage",
    "poll_result",
]
