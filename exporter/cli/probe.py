"""`probe`: polls the targets once and prints what is left of their allowances."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from exporter.cli.flags import Parser
from exporter.cli.output import write
from exporter.cli.probe_sources import CaptureSource, VendorSource
from exporter.cli.recording import Recording
from exporter.cli.table import failure_lines, format_table
from exporter.client.client import as_transport
from exporter.client.resolver import DaemonThreadExecutor
from exporter.files import replace_file
from exporter.metrics.catalogue import METRICS, NEXT_POLL, target_samples
from exporter.metrics.exposition import Format, render, sample_lines
from exporter.polling.poll import PollTarget
from exporter.presentation.serialize import to_json
from exporter.state.store import StateStore
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from exporter.cli.probe_sources import Source
    from exporter.config.models import Target
    from exporter.model import PollOutcome
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
    source: Source = (
        CaptureSource(Path(flags["replay"]))
        if flags["replay"]
        else VendorSource(Path(flags["config.file"]), environ)
    )
    names = flags.get("targets") or [target.name for target in source.targets]
    if unknown := set(names) - {target.name for target in source.targets}:
        parser.error(f"unknown target: {', '.join(sorted(unknown))}")
    targets = [target for target in source.targets if target.name in names]
    recording = None
    if flags["capture"]:
        path = Path(flags["capture"])
        recording = Recording(path, targets, source, is_anonymized=flags["anonymize"])
    return asyncio.run(_probe(targets, source, recording, flags, environ))


async def _probe(
    targets: Sequence[Target],
    source: Source,
    recording: Recording | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
) -> int:
    poll_targets = (
        recording.poll_targets if recording else [_poll_target(each, source) for each in targets]
    )
    snapshots = await probe(poll_targets, source.poll)
    now = source.printed()
    notes = [recording.save(snapshots, now)] if recording else []
    _print(snapshots, flags, environ, now)
    for note in (*source.warnings(targets), *notes):
        print(note, file=sys.stderr)
    return 0 if all(snapshot.state.is_up for snapshot in snapshots) else 1


def _poll_target(target: Target, source: Source) -> PollTarget:
    transport = as_transport(source.round_tripper(target), source.clock(target))
    return PollTarget(target, VENDORS[target.vendor].create_poller(target), transport)


async def probe(
    targets: Sequence[PollTarget], poll: Callable[[PollTarget], Awaitable[PollOutcome]]
) -> list[TargetSnapshot]:
    """Poll every target once, concurrently."""
    asyncio.get_running_loop().set_default_executor(DaemonThreadExecutor())
    store = StateStore()
    store.set_targets(each.target for each in targets)

    async def record(target: PollTarget) -> None:
        store.record(target.target.name, await poll(target))

    async with asyncio.TaskGroup() as group:
        for target in targets:
            group.create_task(record(target))
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
        write_textfile(path, prometheus_text(snapshots))
        for line in failure_lines(snapshots):
            print(line, file=sys.stderr)
    elif flags["format"] == "table":
        write(format_table(snapshots, now, is_coloured=_is_coloured(environ)))
    else:
        write(format_metrics(snapshots, flags["format"]), is_utf8=True)


def _is_coloured(environ: Mapping[str, str]) -> bool:
    """Whether standard output is a terminal on which colours are wanted (https://no-color.org)."""
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def format_metrics(
    snapshots: Sequence[TargetSnapshot], output_format: Literal["json", "prometheus"]
) -> str:
    """The results for programs."""
    if output_format == "prometheus":
        return prometheus_text(snapshots).rstrip("\n")
    targets = [to_json(snapshot) for snapshot in snapshots]
    return json.dumps({"targets": targets}, indent=2, ensure_ascii=False)


def prometheus_text(snapshots: Iterable[TargetSnapshot]) -> str:
    """The metrics of a single poll: without counters and without the time of the next poll."""
    lines = []
    for snapshot in snapshots:
        samples = target_samples(snapshot)
        included = (sample for sample in samples if sample.metric not in _METRICS_OF_MANY_POLLS)
        lines.append(sample_lines(included, snapshot.target.name))
    return render(lines, Format.TEXT).decode()


def write_textfile(path: Path, text: str) -> None:
    """Replace a file atomically, readable by every user whatever the umask.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    replace_file(path, text, 0o644)
