"""Xtracta: documents of the plans and packs of one or several groups.

Source: Xtracta API v1, `POST /v1/billings/usage` and `POST /v1/group/list`.
"""

from typing import Final

from exporter.vendors.base import Vendor
from exporter.vendors.xtracta.history import HISTORY
from exporter.vendors.xtracta.identifying_fields import FIELDS
from exporter.vendors.xtracta.metrics import METRICS
from exporter.vendors.xtracta.poller import create_poller
from exporter.vendors.xtracta.settings import Settings

VENDOR: Final = Vendor(Settings, METRICS, create_poller, HISTORY, "Xtracta", FIELDS)
