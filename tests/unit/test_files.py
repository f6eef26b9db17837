"""Watching a file: changes of what it holds are noticed, once, and nothing else."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from exporter.files import FileWatcher

if TYPE_CHECKING:
    from pathlib import Path


def test_other_content_is_noticed_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    watched = FileWatcher(path)
    seen = [watched.has_changed()]
    for content in ("a", "b", ""):
        path.write_text(content)
        seen += [watched.has_changed(), watched.has_changed()]
    path.unlink()
    seen += [watched.has_changed(), watched.has_changed()]
    assert seen == [False, *[True, False] * 4]


def test_a_change_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a")

    async def main() -> None:
        watched = FileWatcher(path, every=0.001)
        waiting = asyncio.create_task(watched.wait_for_change())
        done, _ = await asyncio.wait([waiting], timeout=0.02)
        assert not done
        path.write_text("b")
        await asyncio.wait_for(waiting, 5)

    asyncio.run(main())


def test_the_same_content_is_no_change(tmp_path: Path) -> None:
    path, other = tmp_path / "config.yaml", tmp_path / "other.yaml"
    path.write_text("a")
    other.write_text("a")
    watched = FileWatcher(path)
    os.utime(path, (0, 0))
    assert not watched.has_changed()
    other.replace(path)
    assert not watched.has_changed()


def test_a_pipe_in_place_of_the_file_counts_as_gone_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    os.mkfifo(path)
    watched = FileWatcher(path)
    assert not watched.has_changed()
    path.unlink()
    assert not watched.has_changed()
