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

from exporter.config.loading import load
from exporter.config.problems import ConfigError
from exporter.config.views import public_yaml
from exporter.fleet import Fleet, Rhythm
from exporter.metrics import BUILD, RELOAD_OK, RELOADED_AT
from exporter.notify import notify, reloading
from exporter.page import Page
from exporter.polling import Limits, Source
from exporter.records import Sample
from exporter.server.server import MAX_CONNECTIONS, Server
from exporter.server.sockets import raise_descriptor_limit, url_of
from exporter.sharding import WHOLE
from exporter.snapshot import Snapshot
from exporter.storage.keeping import keeper
from exporter.vendors import VENDORS
from exporter.vendors._http import Network
from exporter.vendors._resolver import Lookups
from exporter.web.access import WebConfig
from exporter.web.guard import Guard
from exporter.web.pages import Application
from exporter.web.passwords import Passwords
from exporter.web.status_page import Site

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from exporter.config.models import Config, Target
    from exporter.records import Outcome
    from exporter.sharding import Shard
    from exporter.watch import Watched

_log = logging.getLogger(__name__)

VERSION: Final = version("docusage-exporter")
USER_AGENT: Final = f"docusage-exporter/{VERSION}"


def load_config(path: Path, environ: Mapping[str, str], shard: Shard = WHOLE) -> Config:
    """The configuration at `path` with the shard's targets; its warnings are logged.

    Raises:
        ConfigError: with everything that is wrong.
    """
    config = load(path, {name: vendor.settings for name, vendor in VENDORS.items()}, environ)
    for problem in config.warnings:
        _log.warning(problem.describe(path))
    return replace(config, targets=shard.share(config.targets))


def connect(target: Target, network: Network) -> Source:
    """What polls a target."""
    fetch = VENDORS[target.vendor].connect(target)
    return Source(target, fetch, network.way_out(target.http))


@dataclass(frozen=True, slots=True)
class Options:
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
    watched: Watched | None = None
    storage_path: Path | None = None
    shard: Shard = WHOLE

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

    def __init__(self, options: Options, config: Config, network: Network) -> None:
        self._options = options
        self._config = config
        self._snapshot = Snapshot()
        self._page = Page(self._snapshot, self._program_samples)
        self._network = network
        self._keeper = keeper(options.storage_path)
        self._fleet = Fleet(self._publish, _limits(config))
        self._one_reload = asyncio.Lock()
        self._is_good = True
        self._read_at = time.time()

    async def run(self, stop: asyncio.Event, hang_up: asyncio.Event) -> None:
        """Serve until `stop` is set; read the configuration again whenever `hang_up` is.

        Raises:
            OSError: a file that the configuration names cannot be read any more.
        """
        application = Application(
            self._page,
            self._snapshot,
            self.reload,
            lambda: public_yaml(self._config),
            Site(VERSION, self._options.telemetry_path, str(self._options.shard)),
            self._options.prefix,
        )
        passwords = Passwords()
        guard = Guard(application.answer, self._options.web, passwords)
        # Half of the descriptors are left for polls, where the system allows very few.
        most = min(MAX_CONNECTIONS, raise_descriptor_limit() // 2)
        web = Server(guard.answer, guard.tls, most)
        async with self._fleet:
            begin = await self._adopt(self._config)
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(self._begin(begin)),  # first: no reload may overtake it
                    group.create_task(self._keeper.run()),
                    group.create_task(self._reload_on(hang_up)),
                    group.create_task(self._reload_on_change()),
                    group.create_task(self._page.keep_fresh()),
                ]
                async with web.serving(self._options.sockets):
                    notify(self._options.environ, "READY=1")
                    await stop.wait()
                    notify(self._options.environ, "STOPPING=1")
                passwords.close()
                for task in beside:
                    task.cancel()

    def _publish(self, name: str, outcome: Outcome) -> None:
        self._keeper.keep(self._snapshot.publish(name, outcome))

    async def _reload_on(self, hang_up: asyncio.Event) -> None:
        while await hang_up.wait():
            hang_up.clear()
            await self.reload()

    async def _reload_on_change(self) -> None:
        while self._options.watched:
            await self._options.watched.change()
            await self.reload()

    async def reload(self) -> str | None:
        """Read the configuration again; where it is bad, the old one stays. The reason, or None."""
        async with self._one_reload:
            reloading(self._options.environ)
            reason = await self._read_again()
            self._is_good = reason is None
            self._page.renew()
            notify(self._options.environ, "READY=1")
            return reason

    async def _read_again(self) -> str | None:
        path, environ, shard = self._options.config_file, self._options.environ, self._options.shard
        try:
            config = await asyncio.to_thread(load_config, path, environ, shard)
            begin = await self._adopt(config)
        except (ConfigError, OSError) as error:
            _log.error("configuration not reloaded", extra={"detail": str(error)})
            return str(error)
        begin()
        self._read_at = time.time()
        _log.info("configuration reloaded", extra={"targets": len(config.targets)})
        return None

    async def _begin(self, begin: Callable[[], None]) -> None:
        """Begin to poll, with what that needs loaded where no scrape waits for it."""
        async with self._one_reload:
            await asyncio.to_thread(self._network.load)
            begin()

    async def _adopt(self, config: Config) -> Callable[[], None]:
        """Serve the targets of `config`; those that run unchanged already are left alone.

        What is returned begins to poll the others.

        Raises:
            OSError: a file it names cannot be read any more; nothing has changed then.
        """
        running = {
            target.name: target for target in self._config.targets if target.name in self._fleet
        }
        same = {target.name for target in config.targets if running.get(target.name) == target}
        new = [target for target in config.targets if target.name not in same]
        sources = [connect(target, self._network) for target in new]
        kept = await self._keeper.load(new)
        self._fleet.stop(running.keys() - same)
        if config.poll != self._config.poll:  # whose turn it is would be forgotten
            self._fleet.limit(_limits(config))
        self._snapshot.adopt(config.targets, kept)
        self._config = config
        rhythms = {name: Rhythm(state.last, state.failed_in_row) for name, state in kept.items()}
        return partial(self._fleet.start, sources, rhythms)

    def _program_samples(self) -> Iterator[Sample]:
        yield Sample(RELOAD_OK, (), self._is_good)
        yield Sample(RELOADED_AT, (), self._read_at)
        yield Sample(BUILD, (VERSION,), 1)


def _limits(config: Config) -> Limits:
    return Limits(config.poll.max_concurrent, config.poll.requests_per_second)


async def serve(options: Options, config: Config, greet: Callable[[], None] = lambda: None) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads.

    Args:
        options: how to run.
        config: the configuration to begin with.
        greet: called once signals are heeded and clients can connect.

    Raises:
        OSError: a file that the configuration names cannot be read any more.
    """
    stop, hang_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Lookups())
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up.set)
    greet()
    for url in options.urls():
        _log.info("serving", extra={"url": url})
    await Service(options, config, Network(USER_AGENT)).run(stop, hang_up)
    _log.info("stopped")
