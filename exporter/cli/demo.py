"""`demo`: the exporter with simulated vendors."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli.flags import Parser
from exporter.cli.serve import serve_options
from exporter.demo.run import run_demo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run the command."""
    parser = Parser("demo", "The exporter with simulated vendors; no keys needed.", environ)
    parser.web_flags("127.0.0.1:10086")
    parser.flag("keep-config", "", "write the configuration to this file", metavar="FILE")
    flags = parser.parse(arguments)
    prefix = parser.route_prefix(flags)
    keep = Path(flags["keep-config"]) if flags["keep-config"] else None
    asyncio.run(run_demo(lambda path: serve_options(path, prefix, flags, environ), keep))
