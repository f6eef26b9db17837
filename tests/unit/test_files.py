"""FileWatcher: a change of the content is reported once, and nothing else is."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from exporter.files import FileWatcher

if TYPE_CHECKING:
    from pathlib import Path


def test_a_watcher_reports_each_change_of_content_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    watcher = FileWatcher(path)
    seen = [watcher.has_changed()]
    for content in ("a", "b", ""):
        path.write_text(content)
        seen += [watcher.has_changed(), watcher.has_changed()]
    path.unlink()
    seen += [watcher.has_changed(), watcher.has_changed()]
    assert seen == [False, *[True, False] * 4]


def test_wait_for_change_ends_with_the_change(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a")

    async def main() -> None:
        watcher = FileWatcher(path, interval=0.001)
        waiting = asyncio.create_task(watcher.wait_for_change())
        done, _ = await asyncio.wait([waiting], timeout=0.02)
        assert not done
        path.write_text("b")
        await asyncio.wait_for(waiting, 5)

    asyncio.run(main())


def test_the_same_content_is_not_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "config.yaml", tmp_path / "other.yaml"
    path.write_text("a")
    other.write_text("a")
    watcher = FileWatcher(path)
    os.utime(path, (0, 0))
    assert not watcher.has_changed()
    other.replace(path)
    assert not watcher.has_changed()


def test_a_pipe_in_place_of_the_file_is_a_missing_file_and_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    os.mkfifo(path)
    watcher = FileWatcher(path)
    assert not watcher.has_changed()
    path.unlink()
    assert not watcher.has_changed()
