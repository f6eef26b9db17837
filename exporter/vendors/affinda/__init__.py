"""Affinda: daily credits of an organization, its workspaces and its document types.

Source: Affinda API v3, `GET /v3/usage` and the lists that name its scopes.
"""

from typing import Final

from exporter.vendors.affinda.history import HISTORY
from exporter.vendors.affinda.identifying_fields import FIELDS
from exporter.vendors.affinda.metrics import METRICS
from exporter.vendors.affinda.poller import create_poller
from exporter.vendors.affinda.settings import Settings
from exporter.vendors.base import Vendor

VENDOR: Final = Vendor(Settings, METRICS, create_poller, HISTORY, "Affinda", FIELDS)
