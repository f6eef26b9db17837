"""The optional state on disk: what is known of each target, kept across restarts.

A JSON file for each target, replaced as a whole, so that a crash leaves the old or the new one.
It is a cache: whatever is wrong with it costs a warning and a poll, never the program.
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

REST: Final = 2.0  # seconds between two rounds of writing


class Storage:
    """The folder of files.

    Args:
        folder: made when it is missing. One program at a time is to use it.
        now: Unix seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._now = now
        self._clock = clock

    def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:
        """What is kept of these targets, by name; never fails."""
        found: dict[str, TargetState] = {}
        unreadable: list[OSError] = []
        for target in targets:
            try:
                if state := self._load(target):
                    found[target.name] = state
            except FileNotFoundError:
                pass  # it was never polled
            except OSError as error:
                unreadable.append(error)
        if unreadable:  # one line, however many they are: most often it is the folder
            words, count = unreadable[0].strerror, len(unreadable)
            _log.warning("kept state cannot be read: %s", words, extra={"targets": count})
        return found

    def _load(self, target: Target) -> TargetState | None:
        path = self._path(target.name)
        kept = read_regular_file(path)
        try:
            return load_state(kept, target, self._now(), self._clock())
        except ValueError:
            self._set_aside(path, target)
            return None

    def _set_aside(self, path: Path, target: Target) -> None:
        aside = path.with_suffix(".damaged")
        with suppress(OSError):  # it is in nobody's way where it is
            path.replace(aside)
        _log.warning("kept state is damaged and not used; see %s", aside.name, extra=_about(target))

    def save(self, snapshot: TargetSnapshot) -> None:
        """Write the file of a target that has been polled.

        Raises:
            OSError: the file is as it was before.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(snapshot.target.name)
        new = path.with_suffix(".new")
        with open(new, "wb", opener=_for_its_owner_alone) as file:
            file.write(dump_state(snapshot))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        _settle(self._folder)

    def _path(self, name: str) -> Path:
        """The target's file: a digest, since a name may be too long for one or hold a slash."""
        return self._folder / f"{blake2b(name.encode(), digest_size=16).hexdigest()}.json"


def _for_its_owner_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _settle(folder: Path) -> None:
    """Have a rename in `folder` survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _about(target: Target) -> dict[str, str]:
    return {"target": target.name, "vendor": target.vendor}


class StateWriter:
    """Reads and writes off the event loop; writes soon, but at a bounded rate.

    Args:
        storage: the files.
        rest: seconds between two rounds of writing; each writes a changed target once.
    """

    def __init__(self, storage: Storage, rest: float = REST) -> None:
        self._storage = storage
        self._rest = rest
        self._changed: dict[str, TargetSnapshot] = {}
        self._is_wanted = asyncio.Event()
        self._is_failing = False

    async def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:
        """What is kept of these targets, by name."""
        return await asyncio.to_thread(self._storage.load, targets)

    def keep(self, snapshot: TargetSnapshot) -> None:
        """Have a target written as it is now."""
        self._changed[snapshot.target.name] = snapshot
        self._is_wanted.set()

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while await self._is_wanted.wait():
                await self._write()
                await asyncio.sleep(self._rest)
        finally:
            await self._write()

    async def _write(self) -> None:
        changed, self._changed = self._changed, {}
        self._is_wanted.clear()
        failures = await asyncio.to_thread(self._failures, changed.values())
        for snapshot, _ in failures:  # unless it has changed again
            self._changed.setdefault(snapshot.target.name, snapshot)
        if failures:
            self._is_wanted.set()
        self._report(failures)

    def _failures(self, changed: Iterable[TargetSnapshot]) -> list[tuple[TargetSnapshot, OSError]]:
        """Write each; those that could not be written, and why."""
        failures = []
        for snapshot in changed:
            try:
                self._storage.save(snapshot)
            except OSError as error:
                failures.append((snapshot, error))
        return failures

    def _report(self, failures: Sequence[tuple[TargetSnapshot, OSError]]) -> None:
        """One line when writing begins to fail, one when nothing fails any more."""
        if failures and not self._is_failing:
            snapshot, error = failures[0]
            extra = {**_about(snapshot.target), "targets": len(failures)}
            _log.warning("state cannot be kept, serving goes on: %s", error.strerror, extra=extra)
        elif self._is_failing and not failures:
            _log.info("state is kept again")
        self._is_failing = bool(failures)
