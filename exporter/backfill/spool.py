"""What was learnt of each target's past, on disk until all of it is there to be written out."""

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

    from exporter.backfill.plan import BackfillPlan
    from exporter.config.models import Target
    from exporter.model import HistoricalResult

_END: Final = b"# EOF\n"


class Written(NamedTuple):
    """How much was written."""

    series: int
    samples: int


class Spool:
    """A folder beside the output: in it one for each target, with a file for each metric.

    A target's folder has its final name only once it is complete, and the name tells the target's
    settings and the days. So a later run takes what is there and asks for the rest, and whatever
    changed is asked for again.
    """

    def __init__(self, order: BackfillPlan) -> None:
        self._order = order
        self._folder = order.output.with_name(f"{order.output.name}.partial")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._salt = _kept_salt(self._folder / "salt")

    def has(self, target: Target) -> bool:
        """Whether the target's past is complete."""
        return self._path(target).is_dir()

    @contextmanager
    def of(self, target: Target) -> Iterator[TargetSpool]:
        """A place for the target's past, which is complete when the context ends well."""
        complete = self._path(target)
        growing = complete.with_suffix(".new")
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir()
        yield TargetSpool(target, growing)
        growing.replace(complete)

    def _path(self, target: Target) -> Path:
        told = f"{target_digest(target, self._salt)} {self._order.first} {self._order.last}"
        return self._folder / blake2b(told.encode(), digest_size=16).hexdigest()

    def write_out(self) -> Written:
        """Write the output, once every target's past is complete, and remove the spool."""
        order, new = self._order, self._folder / "output"
        count = Written(0, 0)
        with new.open("wb", buffering=1 << 20) as file:
            for metric in METRICS:
                paths = [self._path(target) / metric.name for target in order.targets]
                found = [path for path in paths if path.exists()]
                if found:
                    file.write(metadata_lines(metric, Format.OPENMETRICS))
                for path in found:
                    more = _expand(path, file, order.step, order.labels)
                    count = Written(count.series + more.series, count.samples + more.samples)
            file.write(_END)
        new.replace(order.output)
        shutil.rmtree(self._folder)
        return count


def _kept_salt(path: Path) -> str:
    if not path.exists():
        path.write_text(secrets.token_hex(SALT_BYTES), encoding="ascii")
    return path.read_text(encoding="ascii")


class TargetSpool:
    """A target's past, as it is spooled."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder

    def add(self, historical_results: Iterable[HistoricalResult]) -> None:
        """Take in all there is of some series, in order of time.

        The samples of each series stay together, since OpenMetrics does not let them mix.
        """
        lines: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(_lists)
        for historical_result in historical_results:
            begin, end = ceil(historical_result.begin), ceil(historical_result.end)
            if begin >= end:
                continue
            for metric, labels, value in poll_result_samples(
                self._target, historical_result.poll_result
            ):
                name = series_name(metric, (self._target.name, *labels))
                lines[metric.name][name].append(f"{begin} {end} {format_value(value)} {name}\n")
        for metric_name, by_series in lines.items():
            with (self._folder / metric_name).open("a", encoding="utf-8", newline="\n") as file:
                for each in by_series.values():
                    file.writelines(each)


def _lists() -> defaultdict[str, list[str]]:
    return defaultdict(list)


def _expand(path: Path, file: BinaryIO, step: int, labels: str) -> Written:
    """Write the samples that the lines of a spooled metric stand for."""
    samples, names = 0, set()
    more = f",{labels}}}".encode() if labels else b"}"
    with path.open("rb") as lines:
        for line in lines:
            begin, end, value, name = line[:-1].split(b" ", 3)
            start = b"%b%b %b " % (name[:-1], more, value)
            moments = sample_times(int(begin), int(end), step)
            file.write(b"".join([b"%b%d\n" % (start, moment) for moment in moments]))
            samples += len(moments)
            names.add(name)
    return Written(len(names), samples)


def sample_times(begin: int, end: int, step: int) -> list[int]:
    """The last second of each step from `begin` until before `end`, and the last one of all."""
    times = list(range(begin + (-1 - begin) % step, end, step))
    return times if times and times[-1] == end - 1 else [*times, end - 1]
