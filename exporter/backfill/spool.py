"""The history of each target on disk, until that of all targets can be written out."""

from __future__ import annotations

import secrets
import shutil
from collections import defaultdict
from contextlib import contextmanager
from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.metrics.catalogue import METRICS, poll_result_samples
from exporter.metrics.exposition import Format, format_value, metadata_lines, series_name
from exporter.state.schema import SALT_BYTES, target_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from exporter.backfill.options import BackfillOptions
    from exporter.config.models import Target
    from exporter.model import HistoricalResult

_END_OF_FILE: Final = b"# EOF\n"


class OutputSize(NamedTuple):
    """What the output contains."""

    series: int
    samples: int


class Spool:
    """A directory next to the output, with one for each target, which has a file for each metric.

    A target's directory gets its final name once it is complete, and the name depends on the
    target's settings and the days: the next run reuses it, unless either has changed.
    """

    def __init__(self, options: BackfillOptions) -> None:
        self._options = options
        self._directory = options.output.with_name(f"{options.output.name}.partial")
        self._directory.mkdir(parents=True, exist_ok=True)
        salt = self._directory / "salt"
        if not salt.exists():
            salt.write_text(secrets.token_hex(SALT_BYTES), encoding="ascii")
        self._salt = salt.read_text(encoding="ascii")

    def has(self, target: Target) -> bool:
        """Whether the target's history is complete."""
        return self._path(target).is_dir()

    @contextmanager
    def open(self, target: Target) -> Iterator[Path]:
        """The target's directory, which is complete if the context ends without an exception."""
        complete = self._path(target)
        partial = complete.with_suffix(".new")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        partial.replace(complete)

    def _path(self, target: Target) -> Path:
        key = f"{target_digest(target, self._salt)} {self._options.first} {self._options.last}"
        return self._directory / blake2b(key.encode(), digest_size=16).hexdigest()

    def write_out(self) -> OutputSize:
        """Write the output from the complete spools of all targets, and delete them."""
        options, new = self._options, self._directory / "output"
        series = samples = 0
        with new.open("wb", buffering=1 << 20) as file:
            for metric in METRICS:
                paths = [self._path(target) / metric.name for target in options.targets]
                existing = [path for path in paths if path.exists()]
                if existing:
                    file.write(metadata_lines(metric, Format.OPENMETRICS))
                for path in existing:
                    size = _write_samples(path, file, options.step, options.labels)
                    series += size.series
                    samples += size.samples
            file.write(_END_OF_FILE)
        new.replace(options.output)
        shutil.rmtree(self._directory)
        return OutputSize(series, samples)


def append(directory: Path, target: Target, results: Iterable[HistoricalResult]) -> None:
    """Append the whole history of some series to a target's directory, in order of time.

    A file for each metric has `BEGIN END VALUE SERIES` for each time span. The samples of each
    series stay together, as OpenMetrics requires.
    """
    lines: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        begin, end = ceil(result.begin), ceil(result.end)
        if begin >= end:
            continue
        for metric, labels, value in poll_result_samples(target, result.poll_result):
            name = series_name(metric, (target.name, *labels))
            lines[metric.name, name].append(f"{begin} {end} {format_value(value)} {name}\n")
    for (metric_name, _), lines_of_series in lines.items():
        with (directory / metric_name).open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(lines_of_series)


def _write_samples(path: Path, file: BinaryIO, step: int, labels: str) -> OutputSize:
    """Write the samples of a spooled metric."""
    samples, names = 0, set()
    end_of_labels = f",{labels}}}".encode() if labels else b"}"
    with path.open("rb") as lines:
        for line in lines:
            begin, end, value, name = line[:-1].split(b" ", 3)
            prefix = b"%b%b %b " % (name[:-1], end_of_labels, value)
            times = sample_times(int(begin), int(end), step)
            file.write(b"".join([b"%b%d\n" % (prefix, time) for time in times]))
            samples += len(times)
            names.add(name)
    return OutputSize(len(names), samples)


def sample_times(begin: int, end: int, step: int) -> list[int]:
    """The last second of each step from `begin` until before `end`, and the last second of all."""
    times = list(range(begin + (-1 - begin) % step, end, step))
    return times if times and times[-1] == end - 1 else [*times, end - 1]
