"""The real program in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENING = re.compile(r"msg=listening address=\S+:(\d+)")


class Program(NamedTuple):
    """A running exporter."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def stop(self) -> float:
        """Seconds that it takes to end after SIGTERM."""
        before = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        return time.monotonic() - before


@contextmanager
def running(config: Path, *arguments: str, descriptors: int | None = None) -> Iterator[Program]:
    """The exporter on a free port of loopback; it has started, and is ended at the end."""
    limit = f"ulimit -n {descriptors}; " if descriptors else ""
    command = [
        "sh",
        "-c",
        f'{limit}exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "exporter",
        f"--config.file={config}",
        *arguments,
    ]
    environ = os.environ | {"DOCUSAGE_WEB_LISTEN_ADDRESS": "127.0.0.1:0"}
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(command, stderr=log, env=environ)  # noqa: S603  ours
        try:
            yield Program(process, _port(process, Path(log.name)), Path(log.name))
        finally:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 20
    while not (found := _LISTENING.search(log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "the exporter does not start"
        time.sleep(0.05)
    return int(found[1])
