"""Optional state files: what is known of each target survives a restart.

One JSON file per target, replaced atomically. The files are a cache: an error costs a warning
and a poll, never the program.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from exporter.files import read_regular_file
from exporter.state.schema import dump_state, load_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from exporter.config.models import Target
    from exporter.state.store import TargetSnapshot, TargetState

_log = logging.getLogger(__name__)

WRITE_INTERVAL: Final = 2.0  # seconds between two rounds of writing


class StateFiles:
    """The state files of a folder, which only one exporter may use at a time.

    Args:
        folder: created when the first file is written.
        clock: seconds, for the age of results; the clock of the `StateStore`.
        now: Unix seconds.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._now = now

    def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:
        """Read the states of these targets, by name; errors are logged."""
        states: dict[str, TargetState] = {}
        errors: list[OSError] = []
        for target in targets:
            try:
                if state := self._load(target):
                    states[target.name] = state
            except FileNotFoundError:
                pass  # never polled
            except OSError as error:
                errors.append(error)
        if errors:  # one line for all of them: usually the folder is the problem
            reason, count = errors[0].strerror, len(errors)
            _log.warning("cannot read state files: %s", reason, extra={"targets": count})
        return states

    def _load(self, target: Target) -> TargetState | None:
        path = self._path(target.name)
        contents = read_regular_file(path)
        try:
            return load_state(contents, target, self._now(), self._clock())
        except ValueError:
            damaged = path.with_suffix(".damaged")
            with suppress(OSError):
                path.replace(damaged)
            _log.warning("ignoring damaged state file %s", damaged.name, extra=_labels(target))
            return None

    def save(self, snapshot: TargetSnapshot) -> None:
        """Write the file of a target that has been polled.

        Raises:
            OSError: the file is unchanged.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(snapshot.target.name)
        new = path.with_suffix(".new")
        with open(new, "wb", opener=_open_private) as file:
            file.write(dump_state(snapshot))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        _sync_folder(self._folder)

    def _path(self, name: str) -> Path:
        """Named by a digest: a target's name may contain a slash or be too long for a file."""
        return self._folder / f"{blake2b(name.encode(), digest_size=16).hexdigest()}.json"


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _labels(target: Target) -> dict[str, str]:
    return {"target": target.name, "vendor": target.vendor}


class StateWriter:
    """Reads and writes state files outside the event loop, at a bounded rate.

    Args:
        files: the state files.
        interval: seconds between two rounds of writing; a round writes a changed target once.
    """

    def __init__(self, files: StateFiles, interval: float = WRITE_INTERVAL) -> None:
        self._files = files
        self._interval = interval
        self._changed: dict[str, TargetSnapshot] = {}
        self._has_changes = asyncio.Event()
        self._is_failing = False

    async def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:
        """Read the states of these targets, by name."""
        return await asyncio.to_thread(self._files.load, targets)

    def save(self, snapshot: TargetSnapshot) -> None:
        """Have `run` write a target's state."""
        self._changed[snapshot.target.name] = snapshot
        self._has_changes.set()

    async def run(self) -> None:
        """Write changes until cancelled, then write the remaining ones."""
        try:
            while True:
                await self._has_changes.wait()
                await self._write()
                await asyncio.sleep(self._interval)
        finally:
            await self._write()

    async def _write(self) -> None:
        changed, self._changed = self._changed, {}
        self._has_changes.clear()
        failures = await asyncio.to_thread(self._save_all, changed.values())
        for snapshot, _ in failures:  # retried in the next round, unless a newer one is waiting
            self._changed.setdefault(snapshot.target.name, snapshot)
        if failures:
            self._has_changes.set()
        self._log_change(failures)

    def _save_all(self, changed: Iterable[TargetSnapshot]) -> list[tuple[TargetSnapshot, OSError]]:
        """Write each snapshot; those that failed, and why."""
        failures = []
        for snapshot in changed:
            try:
                self._files.save(snapshot)
            except OSError as error:
                failures.append((snapshot, error))
        return failures

    def _log_change(self, failures: Sequence[tuple[TargetSnapshot, OSError]]) -> None:
        """Log when writing starts to fail and when it works again."""
        if failures and not self._is_failing:
            snapshot, error = failures[0]
            extra = {**_labels(snapshot.target), "targets": len(failures)}
            _log.warning("cannot write state files: %s", error.strerror, extra=extra)
        elif self._is_failing and not failures:
            _log.info("state files are written again")
        self._is_failing = bool(failures)


class NullStorage:
    """Stores nothing; the methods of `StateWriter`."""

    async def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:  # noqa: ARG002  see StateWriter
        """Read nothing."""
        return {}

    def save(self, snapshot: TargetSnapshot) -> None:
        """Write nothing."""

    async def run(self) -> None:
        """Return at once."""


def open_storage(folder: Path | None, clock: Callable[[], float]) -> StateWriter | NullStorage:
    """Storage in `folder`, or none; `clock` is the clock of the `StateStore`."""
    return NullStorage() if folder is None else StateWriter(StateFiles(folder, clock))
