"""The running exporter: wiring, reload and signals."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.client.client import HttpClient
from exporter.client.resolver import DaemonThreadExecutor
from exporter.config.errors import ConfigError, Problem
from exporter.config.loader import load
from exporter.config.serialize import public_yaml
from exporter.metrics.build_info import build_info
from exporter.metrics.cache import MetricsCache
from exporter.metrics.catalogue import RELOAD_OK, RELOADED_AT, SHARDS
from exporter.model import Sample
from exporter.polling.clock import ElapsedClock
from exporter.polling.limits import PollSlots, RateLimiter
from exporter.polling.poll import PollTarget
from exporter.polling.scheduler import PollScheduler, ScheduleState
from exporter.polling.sharding import UNSHARDED
from exporter.server.server import MAX_CONNECTIONS, Server
from exporter.server.sockets import raise_descriptor_limit, url_of
from exporter.state.persistence import open_storage
from exporter.state.store import StateStore
from exporter.systemd import notify, notify_reloading
from exporter.vendors import VENDORS
from exporter.web.basic_auth import BasicAuth
from exporter.web.middleware import Middleware
from exporter.web.routes import Application
from exporter.web.status_page import PageInfo
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
    """Load the configuration with the targets of the shard; log their warnings.

    Args:
        path: the file.
        environ: the environment variables that may hold keys.
        shard: the share of the targets to poll.
        keys: whether targets may have no usable key.
        is_pipe_allowed: whether the file may be a pipe.

    Raises:
        ConfigError: with every problem.
    """
    if VENDORS.errors:
        raise ConfigError(path, [Problem(0, "", error) for error in VENDORS.errors])
    vendors = {name: vendor.settings for name, vendor in VENDORS.items()}
    config = load(path, vendors, environ, keys=keys, is_pipe_allowed=is_pipe_allowed)
    targets = shard.select(config.targets)
    names = {target.name for target in targets}
    for target, problem in (warning for warning in config.warnings if warning.target in names):
        extra = {"target": target, "detail": problem.describe(path)}
        _log.warning("problem in the configuration", extra=extra)
    return config._replace(targets=targets)


def create_poll_target(target: Target, client: HttpClient) -> PollTarget:
    """A target with its vendor's poller and its transport."""
    poller = VENDORS[target.vendor].create_poller(target)
    return PollTarget(target, poller, client.transport(target.http))


class ServeOptions(NamedTuple):
    """Options of `serve`.

    Args:
        config_file: the configuration.
        environ: environment variables that the configuration may refer to.
        sockets: bound sockets to listen on.
        prefix: path before every path.
        telemetry_path: path of the metrics.
        web: returns the current web configuration.
        watched: watches the configuration file, to reload it when it changes.
        storage_path: folder for state that survives a restart, or None.
        shard: which of the targets to poll.
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
        """The URLs of the exporter's home page."""
        tls = self.web().tls is not None
        return [url_of(bound, tls=tls) + self.prefix for bound in self.sockets]


class Service:
    """Polls the targets of a configuration, serves their metrics, and reloads.

    Args:
        options: how to serve.
        config: the initial configuration.
        client: sends the requests to the vendors.
    """

    def __init__(self, options: ServeOptions, config: Config, client: HttpClient) -> None:
        clock = ElapsedClock()
        self._options = options
        self._config = config
        self._store = StateStore(clock)
        self._metrics = MetricsCache(self._store, self._exporter_samples)
        self._client = client
        self._storage = open_storage(options.storage_path, clock)
        self._slots = PollSlots(
            config.poll.max_concurrent, RateLimiter(config.poll.requests_per_second)
        )
        self._scheduler = PollScheduler(self._record, self._slots, clock=clock)
        self._reload_lock = asyncio.Lock()
        self._build_info = build_info(VERSION)
        self._reload_successful = True
        self._reloaded_at = time.time()

    async def run(self, stop: asyncio.Event, reload_event: asyncio.Event) -> None:
        """Serve until `stop` is set; reload whenever `reload_event` is set.

        Raises:
            OSError: a file that the configuration refers to cannot be read.
        """
        application = Application(
            self._metrics,
            self._store,
            self.reload,
            lambda: public_yaml(self._config),
            PageInfo(VERSION, self._options.telemetry_path, str(self._options.shard)),
            self._options.prefix,
        )
        basic_auth = BasicAuth()
        web_config = self._options.web
        has_tls = web_config().tls is not None
        middleware = Middleware(application.handle, web_config, basic_auth, has_tls=has_tls)
        # Half of the descriptors are left for polls, where the system allows very few.
        max_connections = min(MAX_CONNECTIONS, raise_descriptor_limit() // 2)
        web = Server(middleware.handle, middleware.tls, max_connections)
        async with self._scheduler:
            await self._apply_config(self._config)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._storage.run()),
                    group.create_task(self._reload_on_event(reload_event)),
                    group.create_task(self._reload_on_change()),
                    group.create_task(self._metrics.refresh_loop()),
                ]
                async with web.serving(self._options.sockets):
                    notify(self._options.environ, "READY=1")
                    await stop.wait()
                    notify(self._options.environ, "STOPPING=1")
                basic_auth.close()
                for task in tasks:
                    task.cancel()

    def _record(self, name: str, outcome: PollOutcome) -> None:
        snapshot = self._store.record(name, outcome)
        self._storage.save(snapshot)
        self._metrics.render(snapshot)

    async def _reload_on_event(self, reload_event: asyncio.Event) -> None:
        while True:
            await reload_event.wait()
            reload_event.clear()
            await self.reload()

    async def _reload_on_change(self) -> None:
        while self._options.watched:
            await self._options.watched.wait_for_change()
            await self.reload()

    async def reload(self) -> str | None:
        """Load the configuration again; an invalid one is not applied. The error, or None."""
        async with self._reload_lock:
            notify_reloading(self._options.environ)
            error = await self._reload()
            self._reload_successful = error is None
            self._metrics.invalidate()
            notify(self._options.environ, "READY=1")
            return error

    async def _reload(self) -> str | None:
        path, environ, shard = self._options.config_file, self._options.environ, self._options.shard
        try:
            config = await asyncio.to_thread(load_config, path, environ, shard)
            await self._apply_config(config)
        except (ConfigError, OSError) as error:
            _log.error("configuration not reloaded", extra={"detail": str(error)})
            return str(error)
        self._reloaded_at = time.time()
        _log.info("configuration reloaded", extra={"targets": len(config.targets)})
        return None

    async def _apply_config(self, config: Config) -> None:
        """Replace the configuration; targets that are polled and unchanged are left alone.

        Raises:
            OSError: a file that it refers to cannot be read; nothing has changed then.
        """
        polled = {
            target.name: target for target in self._config.targets if target.name in self._scheduler
        }
        unchanged = {target.name for target in config.targets if polled.get(target.name) == target}
        new = [target for target in config.targets if target.name not in unchanged]
        poll_targets = [create_poll_target(target, self._client) for target in new]
        restored = await self._storage.load(new)
        self._scheduler.stop(polled.keys() - unchanged)
        self._slots.max_concurrent = config.poll.max_concurrent
        self._slots.rate_limiter.requests_per_second = config.poll.requests_per_second
        self._store.set_targets(config.targets, restored)
        self._config = config
        states = {
            name: ScheduleState(state.last_poll, state.consecutive_failures)
            for name, state in restored.items()
        }
        self._scheduler.start(poll_targets, states)

    def _exporter_samples(self) -> Iterator[Sample]:
        yield Sample(RELOAD_OK, (), self._reload_successful)
        yield Sample(RELOADED_AT, (), self._reloaded_at)
        yield self._build_info
        shard = self._options.shard
        yield Sample(SHARDS, (str(shard.index),), shard.count)


async def serve(
    options: ServeOptions, config: Config, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads.

    Args:
        options: how to serve.
        config: the initial configuration.
        on_ready: called once signals are handled and clients can connect.

    Raises:
        OSError: a file that the configuration refers to cannot be read.
    """
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
