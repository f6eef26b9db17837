"""The demo: simulated vendors on loopback, and the real exporter polling them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from exporter.app import load_config, serve
from exporter.demo.scenario import demo_accounts, demo_config
from exporter.demo.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.app import ServeOptions

_WELCOME: Final = """\
The simulated vendors are at {vendors}; the exporter polls them every 15 seconds.

  status page    {exporter}/
  one target     {exporter}/targets/acme-us
  metrics        {exporter}/metrics
  targets        {exporter}/api/v1/targets
  configuration  {config}

The target acme-legacy fails on purpose. Stop with Ctrl-C.
"""


async def run_demo(options: Callable[[Path], ServeOptions], keep: Path | None) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        options: the options to serve with this configuration file.
        keep: where to write the configuration, or None for a temporary file.
    """
    accounts = demo_accounts()
    with TemporaryDirectory() as folder:
        path = keep or Path(folder) / "config.yaml"
        async with Vendors(accounts).serve() as vendors:
            path.write_text(demo_config(accounts, vendors), encoding="utf-8")
            chosen = options(path)
            (exporter, *_) = chosen.urls()
            shown = path if keep else f"{exporter}/config"
            welcome = _WELCOME.format(vendors=vendors, exporter=exporter, config=shown)
            config = load_config(path, chosen.environ)
            await serve(chosen, config, lambda: print(welcome, flush=True))
