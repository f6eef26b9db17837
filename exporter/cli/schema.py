"""`schema`: prints the JSON Schema of the configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.cli.flags import Parser
from exporter.cli.output import write
from exporter.config.json_schema import schema
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; its exit status."""
    Parser("schema", "Print the JSON Schema of the configuration.", environ).parse(arguments)
    vendors = {name: vendor.settings for name, vendor in VENDORS.items()}
    write(json.dumps(schema(vendors), indent=2))
    return 0
