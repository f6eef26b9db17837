"""Affinda: daily credits of an organization, its workspaces and its document types.

Source: Affinda API v3, `GET /v3/usage` and the lists that name its scopes.
"""

from exporter.vendors.affinda.api import Scope, Usage, parse_usage, usage_request
from exporter.vendors.affinda.connection import connect
from exporter.vendors.affinda.history import history
from exporter.vendors.affinda.metrics import METRICS
from exporter.vendors.affinda.reading import reading
from exporter.vendors.affinda.settings import Settings

__all__ = [
    "METRICS",
    "Scope",
    "Settings",
    "Usage",
    "connect",
    "history",
    "parse_usage",
    "reading",
    "usage_request",
]
