from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from exporter.metrics import build_info

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def labels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The labels of a package that is installed in `folder`."""
    monkeypatch.setattr(build_info, "files", lambda _: folder)
    return build_info.build_info("1.2.3").labels


def test_the_revision_is_the_one_recorded_at_build_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "revision.txt").write_text("0123abcd\n")
    assert labels(tmp_path, monkeypatch) == ("1.2.3", "0123abcd", platform.python_version())


def test_the_revision_of_a_checkout_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert labels(tmp_path, monkeypatch) == ("1.2.3", "unknown", platform.python_version())
