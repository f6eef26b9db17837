"""`probe`: polls the targets once and prints what is left of their allowances."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exporter.app import USER_AGENT, load_config
from exporter.capture.format import load
from exporter.capture.record import Recorder
from exporter.capture.replay import ReplayedTarget
from exporter.cli.flags import Parser
from exporter.cli.output import write
from exporter.cli.recording import make_folder, save_recorded
from exporter.cli.table import failure_lines, format_table
from exporter.client.client import HttpClient, as_transport
from exporter.client.proxies import proxy_url
from exporter.client.resolver import DaemonThreadExecutor
from exporter.files import replace_file
from exporter.metrics.catalogue import METRICS, NEXT_POLL, target_samples
from exporter.metrics.exposition import Format, render, sample_lines
from exporter.model import PollOutcome
from exporter.polling.limits import PollSlots, RateLimiter
from exporter.polling.poll import PollTarget, poll_once
from exporter.presentation.serialize import to_json
from exporter.state.store import StateStore
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.capture.format import Capture
    from exporter.capture.record import ProbedTarget
    from exporter.config.models import Config, Target
    from exporter.state.store import TargetSnapshot

_FORMATS: Final = ("table", "json", "prometheus")
_METRICS_OF_MANY_POLLS: Final = frozenset(
    {NEXT_POLL, *(metric for metric in METRICS if metric.kind == "counter")}
)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; its exit status is 0 if every poll succeeded."""
    parser = Parser("probe", "Poll once and print what is left of each allowance.", environ)
    parser.config_flag()
    parser.flag("format", "table", "output format", choices=_FORMATS, metavar=None)
    description = "write metrics to this file for the textfile collector, and print only failures"
    parser.flag("textfile", "", description, metavar="FILE")
    parser.target_arguments()
    parser.flag("capture", "", "write what the vendors send into this new folder", metavar="DIR")
    description = "replace identifiers and names in the capture by stand-ins"
    parser.boolean_flag("anonymize", description)
    parser.flag("replay", "", "poll this capture instead of the vendors", metavar="DIR")
    flags = parser.parse(arguments)
    if flags["anonymize"] and not flags["capture"]:
        parser.error("--anonymize needs --capture=DIR")
    capture = load(Path(flags["replay"])) if flags["replay"] else None
    known: Sequence[LiveTarget | ReplayedTarget] = (
        [ReplayedTarget(target) for target in capture.targets]
        if capture
        else live_targets(load_config(Path(flags["config.file"]), environ, is_pipe_allowed=True))
    )
    names = flags.get("targets")
    if unknown := set(names or ()) - {each.target.name for each in known}:
        parser.error(f"unknown target: {', '.join(sorted(unknown))}")
    probed = [each for each in known if not names or each.target.name in names]
    if flags["capture"]:
        targets = (each.target for each in probed)
        make_folder(Path(flags["capture"]), targets, is_anonymized=flags["anonymize"])
    return asyncio.run(_probe(probed, capture, flags, environ))


async def _probe(
    probed: Sequence[LiveTarget | ReplayedTarget],
    capture: Capture | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
) -> int:
    recorders = [
        Recorder(each, proxy_url(each.target.http, each.target.address, os.environ))
        for each in probed
        if flags["capture"]
    ]
    snapshots = await probe(recorders or probed)
    now = capture.printed if capture else time.time()
    notes = [
        f"{each.target.name}: recorded requests that were not made: {each.not_requested}"
        for each in probed
        if isinstance(each, ReplayedTarget) and each.not_requested
    ]
    if flags["capture"]:
        path = Path(flags["capture"])
        notes.append(save_recorded(recorders, path, now, is_anonymized=flags["anonymize"]))
    _print(snapshots, flags, environ, now)
    for note in notes:
        print(note, file=sys.stderr)
    return 0 if all(snapshot.state.is_up for snapshot in snapshots) else 1


class LiveTarget:
    """A target at its vendor; see `ProbedTarget`.

    Args:
        target: the target.
        client: sends the requests.
        slots: the limits of all polls.
    """

    def __init__(self, target: Target, client: HttpClient, slots: PollSlots) -> None:
        self.target = target
        self.round_trip = client.round_tripper(target.http)
        self.now = time.time
        self._slots = slots

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        """Poll once, within the limits of all polls."""
        async with self._slots.acquire(poll_target.host):
            attempt = await poll_once(poll_target, self._slots.rate_limiter, self.now)
        at = self.now()
        return PollOutcome(*attempt, at=at, next_at=at)


def live_targets(config: Config) -> list[LiveTarget]:
    """The targets of a configuration."""
    client = HttpClient(USER_AGENT)
    rate_limiter = RateLimiter(config.poll.requests_per_second)
    slots = PollSlots(config.poll.max_concurrent, rate_limiter)
    return [LiveTarget(target, client, slots) for target in config.targets]


async def probe(probed: Sequence[ProbedTarget]) -> list[TargetSnapshot]:
    """Poll every target once, concurrently."""
    asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor())
    store = StateStore()
    store.set_targets(each.target for each in probed)

    async def poll(each: ProbedTarget) -> None:
        target = each.target
        poller = VENDORS[target.vendor].create_poller(target)
        transport = as_transport(each.round_trip, each.now)
        store.record(target.name, await each.poll(PollTarget(target, poller, transport)))

    async with asyncio.TaskGroup() as group:
        for each in probed:
            group.create_task(poll(each))
    return list(store.snapshots())


def _print(
    snapshots: Sequence[TargetSnapshot],
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    now: float,
) -> None:
    if flags["textfile"]:
        path = Path(flags["textfile"])
        if path.suffix != ".prom":
            print(f"node_exporter ignores {path}: its name must end in .prom", file=sys.stderr)
        replace_file(path, prometheus_text(snapshots), 0o644)  # node_exporter is another user
        for line in failure_lines(snapshots):
            print(line, file=sys.stderr)
    elif flags["format"] == "table":
        write(format_table(snapshots, now, is_coloured=_is_coloured(environ)))
    elif flags["format"] == "prometheus":
        write(prometheus_text(snapshots).rstrip("\n"), is_utf8=True)
    else:
        targets = [to_json(snapshot) for snapshot in snapshots]
        write(json.dumps({"targets": targets}, indent=2, ensure_ascii=False), is_utf8=True)


def _is_coloured(environ: Mapping[str, str]) -> bool:
    """Whether standard output is a terminal on which colours are wanted (https://no-color.org)."""
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def prometheus_text(snapshots: Iterable[TargetSnapshot]) -> str:
    """The metrics of a single poll: without counters and without the time of the next poll."""
    lines = []
    for snapshot in snapshots:
        samples = target_samples(snapshot)
        included = (sample for sample in samples if sample.metric not in _METRICS_OF_MANY_POLLS)
        lines.append(sample_lines(included, snapshot.target.name))
    return render(lines, Format.TEXT).decode()
