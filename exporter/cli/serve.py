"""`serve`: polls the targets and serves their metrics."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exporter.app import ServeOptions, load_config, serve
from exporter.cli.check import check
from exporter.cli.flags import Parser
from exporter.files import FileWatcher
from exporter.polling.sharding import Shard
from exporter.server.sockets import DEFAULT_ADDRESS, bound_sockets
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_EPILOG: Final = """commands:
  serve        poll and serve /metrics (the default)
  check        validate the configuration
  probe        poll once and print what is left of each allowance
  backfill     write the vendors' history for promtool to import
  report       print past usage by workspace, day or month
  demo         the exporter with simulated vendors on loopback; no keys needed
  schema       print the JSON Schema of the configuration, for editors
  healthcheck  check that a running exporter is healthy
Each has --help of its own. Flags may stand before or after the command.

Every flag is also an environment variable: --config.file is DOCUSAGE_CONFIG_FILE.
"""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Run the command; its exit status, where None is success."""
    parser = Parser("", "Prometheus exporter for document-AI usage.", environ, _EPILOG)
    parser.config_flag()
    parser.web_flags(DEFAULT_ADDRESS)
    parser.flag("storage.path", "", "directory for the state that survives restarts")
    parser.flag("shard", "0/1", "poll shard I of N, from 0/N to N-1/N; limits apply to each shard")
    parser.boolean_flag("config.check", "the same as `check`")
    parser.boolean_flag("config.enable-auto-reload", "reload the configuration when it changes")
    flags = parser.parse(arguments)
    prefix = parser.route_prefix(flags)
    path = Path(flags["config.file"])
    if flags["config.check"]:
        return check(path, environ)
    is_reloaded = flags["config.enable-auto-reload"]
    if is_reloaded and path.is_fifo():
        parser.error("--config.enable-auto-reload needs a regular file, not a pipe")
    shard = Shard.parse(flags["shard"])
    watcher = FileWatcher(path) if is_reloaded else None  # before the file is read
    config = load_config(path, environ, shard, is_pipe_allowed=True)
    options = serve_options(path, prefix, flags, environ)
    options = options._replace(shard=shard, watched=watcher)
    return asyncio.run(serve(options, config))


def serve_options(
    path: Path, prefix: str, flags: Mapping[str, Any], environ: Mapping[str, str]
) -> ServeOptions:
    """The options that a command's web flags set, with bound sockets.

    Raises:
        AddressError: an address cannot be bound.
        ConfigError: the web configuration is invalid.
    """
    web = _web_config(flags["web.config.file"])
    return ServeOptions(
        config_file=path,
        environ=environ,
        sockets=bound_sockets(flags["web.listen-address"]),
        prefix=prefix,
        telemetry_path="/" + flags["web.telemetry-path"].lstrip("/"),
        web=web,
        storage_path=Path(flags["storage.path"]) if flags.get("storage.path") else None,
    )


def _web_config(file: str) -> Callable[[], WebConfig]:
    """The current web configuration; without a file everyone may scrape."""
    if not file:
        return WebConfig
    from exporter.web.web_config.loader import LiveWebConfig  # noqa: PLC0415  seldom needed

    return LiveWebConfig(Path(file)).current
