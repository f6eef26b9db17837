"""Xtracta: documents of the plans and packs of one or several groups.

Source: Xtracta API v1, `POST /v1/billings/usage` and `POST /v1/group/list`.
"""

from exporter.vendors.xtracta.api import Plan, Usage, accepted, api_request, moment, parse_usage
from exporter.vendors.xtracta.connection import connect
from exporter.vendors.xtracta.history import history
from exporter.vendors.xtracta.metrics import METRICS
from exporter.vendors.xtracta.reading import reading
from exporter.vendors.xtracta.settings import Settings

__all__ = [
    "METRICS",
    "Plan",
    "Settings",
    "Usage",
    "accepted",
    "api_request",
    "connect",
    "history",
    "moment",
    "parse_usage",
    "reading",
]
