"""The command line: each command, put together from the rooms that do the work."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from exporter.app import USER_AGENT, VERSION, ServeOptions, create_poller, load_config, serve
from exporter.cli.flags import Parser
from exporter.client.client import HttpClient
from exporter.config.errors import ConfigError
from exporter.files import FileWatcher
from exporter.polling.poll import Limits
from exporter.polling.sharding import Shard, ShardError
from exporter.server.sockets import DEFAULT_ADDRESS, AddressError, bound_sockets
from exporter.vendors import VENDORS
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.backfill.plan import BackfillPlan
    from exporter.backfill.run import Result
    from exporter.config.models import Config
    from exporter.state.store import TargetSnapshot

_EPILOG: Final = """commands:
  serve        poll and serve /metrics (the default)
  check        validate the configuration
  probe        poll once, for real, and say what is left
  backfill     write the vendors' past for promtool to import
  demo         the exporter against simulated vendors on loopback; no keys needed
  schema       print the JSON Schema of the configuration, for editors
  healthcheck  ask a running exporter whether it is healthy
each with --help of its own

Every flag is also an environment variable: --config.file is DOCUSAGE_CONFIG_FILE.
"""

_LABELS: Final = "a label that Prometheus gives to scraped series, such as job=docusage"


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command; the exit status: 0 well, 1 not.

    Raises:
        SystemExit: by argparse: with 2 for misuse, with 0 after `--help` or `--version`.
    """
    name, *rest = arguments if arguments and arguments[0] in _COMMANDS else ("serve", *arguments)
    try:
        return _COMMANDS[name](rest, environ) or 0
    except ConfigError as error:
        print(f"the configuration cannot be used:\n{error}", file=sys.stderr)
    except (AddressError, ShardError, OSError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        pass
    return 1


def _with_config(parser: Parser) -> None:
    parser.flag("config.file", "config.yaml", "the configuration")


def _with_web(parser: Parser, default: str = DEFAULT_ADDRESS) -> None:
    parser.repeated_flag("web.listen-address", default, "where to serve")
    parser.flag("web.telemetry-path", "/metrics", "path of the metrics")
    words = "TLS, passwords and headers, in the file that Prometheus exporters take"
    parser.flag("web.config.file", "", words)
    parser.flag("web.external-url", "", "the URL at which a proxy shows the exporter")
    parser.flag("web.route-prefix", "", "path before every path, instead of the external URL's")


def _serve(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    words = "Prometheus exporter for document-AI usage."
    parser = Parser("", words, environ, epilog=_EPILOG)
    _with_config(parser)
    _with_web(parser)
    parser.flag("storage.path", "", "a folder in which to keep state across restarts")
    parser.flag("shard", "0/1", "poll the share i of n, from 0/n to n-1/n; limits are each shard's")
    parser.switch("config.check", "as `check`")
    parser.switch("config.enable-auto-reload", "read the configuration again when it changes")
    parser.add_argument("--version", action="version", version=f"docusage-exporter {VERSION}")
    flags = parser.values(arguments)
    prefix = _prefix(parser, flags)
    path = Path(flags["config.file"])
    shard = Shard.parse(flags["shard"])
    watched = FileWatcher(path) if flags["config.enable-auto-reload"] else None
    config = load_config(path, environ, shard)
    if flags["config.check"]:
        _say_valid(path, config)
    else:
        options = replace(_options(path, prefix, flags, environ), shard=shard, watched=watched)
        asyncio.run(serve(options, config))


def _options(
    path: Path, prefix: str, flags: Mapping[str, Any], environ: Mapping[str, str]
) -> ServeOptions:
    web = _web(flags["web.config.file"])
    return ServeOptions(
        config_file=path,
        environ=environ,
        sockets=bound_sockets(flags["web.listen-address"]),
        prefix=prefix,
        telemetry_path="/" + flags["web.telemetry-path"].lstrip("/"),
        web=web,
        storage_path=Path(flags["storage.path"]) if flags.get("storage.path") else None,
    )


def _web(file: str) -> Callable[[], WebConfig]:
    """The web configuration as it is whenever asked for; without a file anybody may scrape."""
    if not file:
        return WebConfig
    from exporter.web.web_config.loader import LiveWebConfig  # noqa: PLC0415  serving does without

    return LiveWebConfig(Path(file)).current


def _prefix(parser: Parser, flags: Mapping[str, Any]) -> str:
    """What stands before every path; without a slash at its end."""
    url = flags["web.external-url"]
    try:
        external = urlsplit(url)
    except ValueError:
        external = urlsplit("")
    if url and not (external.scheme and external.netloc):
        parser.error("web.external-url must be a URL such as https://example.com/docusage")
    prefix = flags["web.route-prefix"] or external.path
    return "/" + prefix.strip("/") if prefix.strip("/") else ""


def _check(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    parser = Parser("check", "Validate the configuration, with every problem at once.", environ)
    _with_config(parser)
    parser.add_argument("file", nargs="?", help="instead of --config.file")
    flags = parser.values(arguments)
    path = Path(flags.get("file") or flags["config.file"])
    _say_valid(path, load_config(path, environ))


def _say_valid(path: Path, config: Config) -> None:
    _say(f"{path} is valid: {len(config.targets)} targets")


def _probe(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    from exporter.cli.probe import FORMATS, probe  # noqa: PLC0415  serving does without

    parser = Parser("probe", "Poll once, for real, and say what is left.", environ)
    _with_config(parser)
    parser.flag("format", "table", "form of the answer", choices=FORMATS, metavar=None)
    words = "write the metrics to this file at once, for the textfile collector, and print failures"
    parser.flag("textfile", "", words, metavar="FILE")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: every target")
    flags = parser.values(arguments)
    config = load_config(Path(flags["config.file"]), environ)
    wanted = flags.get("targets") or [target.name for target in config.targets]
    if unknown := set(wanted) - {target.name for target in config.targets}:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    client = HttpClient(USER_AGENT)
    sources = [create_poller(target, client) for target in config.targets if target.name in wanted]
    limits = Limits(config.poll.max_concurrent, config.poll.requests_per_second)

    async def answer() -> int:
        return _answer(await probe(sources, limits), flags, environ)

    return asyncio.run(answer())


def _answer(
    snapshots: Sequence[TargetSnapshot], flags: Mapping[str, Any], environ: Mapping[str, str]
) -> int:
    """Say what a probe found; the exit status."""
    from exporter.cli.probe import failures, prometheus_text, write_textfile, written  # noqa: PLC0415  serving does without

    if flags["textfile"]:
        write_textfile(Path(flags["textfile"]), prometheus_text(snapshots))
        for line in failures(snapshots):
            print(line, file=sys.stderr)
    else:
        _say(written(snapshots, flags["format"], is_coloured=_shows_colours(environ)))
    return 0 if all(snapshot.state.is_up for snapshot in snapshots) else 1


def _shows_colours(environ: Mapping[str, str]) -> bool:
    """Whether people look at standard output, and want colours there (https://no-color.org)."""
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _backfill(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    from exporter.backfill.plan import DEFAULT_STEP, PlanError, plan_backfill  # noqa: PLC0415  serving does without
    from exporter.backfill.progress import Progress  # noqa: PLC0415  serving does without
    from exporter.backfill.run import backfill  # noqa: PLC0415  serving does without

    parser = Parser("backfill", "The vendors' past, as OpenMetrics with timestamps.", environ)
    _with_config(parser)
    parser.flag("start", "", "the first day, such as 2026-01-31")
    parser.flag("end", "", "the last day; without one, yesterday (UTC)")
    parser.flag("step", DEFAULT_STEP, "time from one sample of a series to the next")
    parser.flag("output", "docusage.om", "the file to write", metavar="FILE")
    parser.repeated_flag("label", "", _LABELS)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: every target")
    flags = parser.values(arguments)
    config = load_config(Path(flags["config.file"]), environ)
    now = datetime.now(UTC)
    try:
        order = plan_backfill(flags, config.targets, now)
    except PlanError as error:
        parser.error(str(error))
    client = HttpClient(USER_AGENT)
    limits = Limits(config.poll.max_concurrent, config.poll.requests_per_second)
    progress = Progress(len(order.targets), sys.stderr)
    return _say_result(asyncio.run(backfill(order, client, limits, progress)), order, now)


def _say_result(result: Result, order: BackfillPlan, now: datetime) -> int:
    from exporter.backfill.run import report  # noqa: PLC0415  serving does without

    words = report(result, order, now)
    if result.failures:
        print(words, file=sys.stderr)
        return 1
    _say(words)
    return 0


def _demo(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    from exporter.demo.run import run_demo  # noqa: PLC0415  serving does without

    parser = Parser("demo", "The exporter against simulated vendors; no keys needed.", environ)
    _with_web(parser, "127.0.0.1:10086")
    parser.flag("keep-config", "", "the file to write the configuration to", metavar="FILE")
    flags = parser.values(arguments)
    prefix = _prefix(parser, flags)
    keep = Path(flags["keep-config"]) if flags["keep-config"] else None
    asyncio.run(run_demo(lambda path: _options(path, prefix, flags, environ), keep))


def _schema(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    from exporter.config.serialize import schema  # noqa: PLC0415  serving does without

    Parser("schema", "Print the JSON Schema of the configuration.", environ).values(arguments)
    settings = {name: vendor.settings for name, vendor in VENDORS.items()}
    _say(json.dumps(schema(settings), indent=2))


def _healthcheck(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    from exporter.cli.healthcheck import local_url, problem  # noqa: PLC0415  serving does without

    words = "Ask a running exporter whether it is healthy; exit status 0 if it is."
    parser = Parser("healthcheck", words, environ)
    _with_web(parser)
    parser.add_argument(
        "url", nargs="?", default="", metavar="URL", help="or HOST:PORT: where to ask instead"
    )
    flags = parser.values(arguments)
    prefix = _prefix(parser, flags)
    url = flags["url"] or flags["web.listen-address"][0]
    if "://" not in url:
        url = local_url(url, prefix)
    found = problem(url)
    _say(f"{url}: {found or 'healthy'}")
    return 1 if found else 0


def _say(text: str) -> None:
    """Print; a reader who has seen enough, such as `head`, is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_COMMANDS: Final[Mapping[str, Callable[[Sequence[str], Mapping[str, str]], int | None]]] = {
    "serve": _serve,
    "check": _check,
    "probe": _probe,
    "backfill": _backfill,
    "demo": _demo,
    "schema": _schema,
    "healthcheck": _healthcheck,
}
"""Each takes its arguments and the environment; the exit status, where that is not 0."""
