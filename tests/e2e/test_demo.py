"""The demo, the first command of every new user, on every version of Python."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from exporter_process import running, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.every_python]


def test_every_target_of_the_demo_comes_up_except_the_one_with_a_revoked_key(
    tmp_path: Path,
) -> None:
    with running(tmp_path, "demo", "--web.listen-address=127.0.0.1:0") as demo:

        def states() -> dict[str, float]:
            values = demo.values().items()
            return {name: value for name, value in values if name.startswith("docusage_target_up ")}

        until(lambda: sum(states().values()) == 5, timeout=60)
        down = [name for name, value in states().items() if value == 0]
        assert (len(states()), down) == (6, ["docusage_target_up acme-legacy affinda"])
        assert demo.ended_by(signal.SIGTERM) == 0
    assert "level=error" not in demo.log.read_text()
