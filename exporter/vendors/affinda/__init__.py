"""Affinda: daily credits of an organization, its workspaces and its document types.

Source: Affinda API v3, `GET /v3/usage` and the lists that name its scopes.
"""

from typing import Final

from exporter.vendors.affinda.api import Scope, Usage, parse_usage, usage_request
from exporter.vendors.affinda.fields import FIELDS
from exporter.vendors.affinda.history import HISTORY
from exporter.vendors.affinda.mapper import poll_result
from exporter.vendors.affinda.metrics import METRICS
from exporter.vendors.affinda.poller import create_poller
from exporter.vendors.affinda.settings import Settings
from exporter.vendors.base import Vendor

VENDOR: Final = Vendor(Settings, METRICS, create_poller, HISTORY, "Affinda", FIELDS)

__all__ = [
    "HISTORY",
    "METRICS",
    "VENDOR",
    "Scope",
    "Settings",
    "Usage",
    "create_poller",
    "parse_usage",
    "poll_result",
    "usage_request",
]
