from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from exporter.metrics.build_info import build_info

if TYPE_CHECKING:
    from pathlib import Path


def test_the_revision_is_the_one_recorded_at_build_time(tmp_path: Path) -> None:
    recorded = tmp_path / "revision.txt"
    recorded.write_text("0123abcd\n")
    sample = build_info("1.2.3", recorded)
    assert sample.labels == ("1.2.3", "0123abcd", platform.python_version())


def test_the_revision_of_a_checkout_is_unknown() -> None:
    assert build_info("1.2.3").labels == ("1.2.3", "unknown", platform.python_version())
