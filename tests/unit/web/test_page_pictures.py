"""The pictures of the pages in the README."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from page_pictures import FOLDER, HEIGHTS, main, snapshots

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.one_python
def test_they_show_the_demo_s_targets_with_weeks_of_use() -> None:
    found = {each.target.name: each.state for each in asyncio.run(snapshots())}
    assert "acme-legacy" in {name for name, state in found.items() if state.failure}
    assert {len(usage.days) for usage in found["acme-pacific"].daily_usage.values()} == {21}


@pytest.mark.one_python
def test_the_pictures_in_the_repository_are_small() -> None:
    for name in HEIGHTS:
        assert (FOLDER / f"{name}.png").stat().st_size < 150_000


@pytest.mark.e2e
def test_a_command_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(tmp_path)
    pictures = [tmp_path / f"{name}.png" for name in HEIGHTS]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert str(tmp_path / "target-page.png") in capsys.readouterr().out
