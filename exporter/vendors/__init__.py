"""The registry of vendors. A new one is a package like its neighbours, and one line here."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from exporter.vendors import affinda, xtracta
from exporter.vendors.plugins import GROUP, Registry

VENDORS: Final = Registry(
    {
        "affinda": affinda.VENDOR,
        "xtracta": xtracta.VENDOR,
    },
    lambda: entry_points(group=GROUP),
)
"""Every vendor by its name, those of installed plug-ins included."""
