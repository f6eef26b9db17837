"""Files: each change of the content is reported once, and a replacement is atomic."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from exporter.files import FileWatcher, replace_file

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


def test_a_file_is_replaced_atomically_with_its_mode_whatever_the_umask(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    previous = os.umask(0o077)
    request.addfinalizer(partial(os.umask, previous))
    with path.open() as reader:
        replace_file(path, "é\n", 0o644)
        assert reader.read() == "old"
    assert path.read_text(encoding="utf-8") == "é\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(folder, "text")
    assert list(tmp_path.rglob("*")) == [folder]
