"""The running exporter: a configuration brought into force, and brought up to date on request."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from exporter.client.client import HttpClient
from exporter.client.resolver import DaemonThreadExecutor
from exporter.config.errors import ConfigError, Problem
from exporter.config.loader import load
from exporter.config.serialize import public_yaml
from exporter.metrics.build_info import build_info
from exporter.metrics.cache import MetricsCache
from exporter.metrics.catalogue import RELOAD_OK, RELOADED_AT
from exporter.model import Sample
from exporter.polling.poll import Limits, PollTarget
from exporter.polling.scheduler import PollScheduler, ScheduleState
from exporter.polling.sharding import UNSHARDED
from exporter.server.server import Server
from exporter.server.sockets import raise_descriptor_limit, url_of
from exporter.state.storage import open_storage
from exporter.state.store import StateStore
from exporter.systemd import notify, reloading
from exporter.vendors import VENDORS
from exporter.web.basic_auth import Passwords
from exporter.web.middleware import Guard
from exporter.web.routes import Application
from exporter.web.status_page import Site
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from exporter.config.loader import KeyCheck
    from exporter.config.models import Config, Target
    from exporter.files import FileWatcher
    from exporter.model import PollOutcome
    from exporter.polling.sharding import Shard

_log = logging.getLogger(__name__)

VERSION: Final = version("docusage-exporter")
USER_AGENT: Final = f"docusage-exporter/{VERSION}"


def load_config(
    path: Path,
    environ: Mapping[str, str],
    shard: Shard = UNSHARDED,
    *,
    keys: KeyCheck = "optional",
    is_pipe_allowed: bool = False,
) -> Config:
    """The configuration at `path` with the shard's targets; their warnings are logged.

    Args:
        path: the file.
        environ: the environment variables that may hold keys.
        shard: the share of the targets to poll.
        keys: what a target without a usable key is.
        is_pipe_allowed: whether the file may be a pipe.

    Raises:
        ConfigError: with every problem.
    """
    if VENDORS.errors:
        raise ConfigError(path, [Problem(0, "", error) for error in VENDORS.errors])
    vendors = {name: vendor.settings for name, vendor in VENDORS.items()}
    config = load(path, vendors, environ, keys=keys, is_pipe_allowed=is_pipe_allowed)
    targets = shard.share(config.targets)
    names = {target.name for target in targets}
    for target, problem in config.warnings:
        if target in names:
            extra = {"target": target, "detail": problem.describe(path)}
            _log.warning("problem in the configuration", extra=extra)
    return replace(config, targets=targets)


def create_poller(target: Target, client: HttpClient) -> PollTarget:
    """What polls a target."""
    fetch = VENDORS[target.vendor].create_poller(target)
    return PollTarget(target, fetch, client.transport(target.http))


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to run.

    Args:
        config_file: the configuration.
        environ: environment variables that it may name.
        sockets: bound sockets to serve on.
        prefix: path before every path.
        telemetry_path: where the metrics are.
        web: the web configuration as it is now.
        watched: the configuration as it was before it was read, to read it again when it changes.
        storage_path: the folder in which state is kept across restarts, or None.
        shard: which of the file's targets are polled.
    """

    config_file: Path
    environ: Mapping[str, str]
    sockets: list[socket.socket]
    prefix: str = ""
    telemetry_path: str = "/metrics"
    web: Callable[[], WebConfig] = WebConfig
    watched: FileWatcher | None = None
    storage_path: Path | None = None
    shard: Shard = UNSHARDED

    def urls(self) -> list[str]:
        """Where people's browsers find the exporter."""
        tls = self.web().tls is not None
        return [url_of(bound, tls=tls) + self.prefix for bound in self.sockets]


class Service:
    """A configuration in force: its targets are polled, their values served.

    Args:
        options: how to run.
        config: the configuration to begin with.
        network: the way to the vendors.
    """

    def __init__(self, options: ServeOptions, config: Config, client: HttpClient) -> None:
        self._options = options
        self._config = config
        self._store = StateStore()
        self._page = MetricsCache(self._store, self._program_samples)
        self._client = client
        self._storage = open_storage(options.storage_path)
        self._scheduler = PollScheduler(self._record, _limits(config))
        self._one_reload = asyncio.Lock()
        self._build_info = build_info(VERSION)
        self._is_good = True
        self._read_at = time.time()

    async def run(self, stop: asyncio.Event, reload_event: asyncio.Event) -> None:
        """Serve until `stop` is set; read the configuration again whenever `reload_event` is.

        Raises:
            OSError: a file that the configuration names cannot be read any more.
        """
        application = Application(
            self._page,
            self._store,
            self.reload,
            lambda: public_yaml(self._config),
            Site(VERSION, self._options.telemetry_path, str(self._options.shard)),
            self._options.prefix,
        )
        passwords = Passwords()
        guard = Guard(application.answer, self._options.web, passwords)
        web = Server(guard.answer, guard.tls)
        async with self._scheduler:
            begin = await self._apply_config(self._config)
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(self._begin(begin)),  # first: no reload may overtake it
                    group.create_task(self._storage.run()),
                    group.create_task(self._reload_on(reload_event)),
                    group.create_task(self._reload_on_change()),
                    group.create_task(self._page.refresh_loop()),
                ]
                async with web.serving(self._options.sockets):
                    notify(self._options.environ, "READY=1")
                    await stop.wait()
                    notify(self._options.environ, "STOPPING=1")
                passwords.close()
                for task in beside:
                    task.cancel()

    def _record(self, name: str, outcome: PollOutcome) -> None:
        self._storage.keep(self._store.record(name, outcome))

    async def _reload_on(self, reload_event: asyncio.Event) -> None:
        while await reload_event.wait():
            reload_event.clear()
            await self.reload()

    async def _reload_on_change(self) -> None:
        while self._options.watched:
            await self._options.watched.wait_for_change()
            await self.reload()

    async def reload(self) -> str | None:
        """Read the configuration again; where it is bad, the old one stays. The reason, or None."""
        async with self._one_reload:
            reloading(self._options.environ)
            reason = await self._read_again()
            self._is_good = reason is None
            self._page.invalidate()
            notify(self._options.environ, "READY=1")
            return reason

    async def _read_again(self) -> str | None:
        path, environ, shard = self._options.config_file, self._options.environ, self._options.shard
        try:
            config = await asyncio.to_thread(load_config, path, environ, shard)
            begin = await self._apply_config(config)
        except (ConfigError, OSError) as error:
            _log.error("configuration not reloaded", extra={"detail": str(error)})
            return str(error)
        begin()
        self._read_at = time.time()
        _log.info("configuration reloaded", extra={"targets": len(config.targets)})
        return None

    async def _begin(self, begin: Callable[[], None]) -> None:
        """Begin to poll; no reload overtakes it."""
        async with self._one_reload:
            begin()

    async def _apply_config(self, config: Config) -> Callable[[], None]:
        """Serve the targets of `config`; those that run unchanged already are left alone.

        What is returned begins to poll the others.

        Raises:
            OSError: a file it names cannot be read any more; nothing has changed then.
        """
        running = {
            target.name: target for target in self._config.targets if target.name in self._scheduler
        }
        same = {target.name for target in config.targets if running.get(target.name) == target}
        new = [target for target in config.targets if target.name not in same]
        sources = [create_poller(target, self._client) for target in new]
        kept = await self._storage.load(new)
        self._scheduler.stop(running.keys() - same)
        if config.poll != self._config.poll:  # whose turn it is would be forgotten
            self._scheduler.limit(_limits(config))
        self._store.set_targets(config.targets, kept)
        self._config = config
        rhythms = {
            name: ScheduleState(state.last_poll, state.consecutive_failures)
            for name, state in kept.items()
        }
        return partial(self._scheduler.start, sources, rhythms)

    def _program_samples(self) -> Iterator[Sample]:
        yield Sample(RELOAD_OK, (), self._is_good)
        yield Sample(RELOADED_AT, (), self._read_at)
        yield self._build_info


def _limits(config: Config) -> Limits:
    return Limits(config.poll.max_concurrent, config.poll.requests_per_second)


async def serve(
    options: ServeOptions, config: Config, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads.

    Args:
        options: how to run.
        config: the configuration to begin with.
        on_ready: called once signals are heeded and clients can connect.

    Raises:
        OSError: a file that the configuration names cannot be read any more.
    """
    raise_descriptor_limit()
    stop, reload_event = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonThreadExecutor())
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload_event.set)
    on_ready()
    for url in options.urls():
        _log.info("serving", extra={"url": url})
    await Service(options, config, HttpClient(USER_AGENT)).run(stop, reload_event)
    _log.info("stopped")
