"""The real Prometheus as a process, over its HTTP API."""

from __future__ import annotations

import json
import os
import shutil
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from exporter_process import started, text_at, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def binary(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where a program of the Debian package is; without it, a test is skipped, but not in CI."""
    found = shutil.which(name)
    if found:
        return found
    words = f"{name} is not installed (Debian: apt-get install prometheus)"
    if environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401  JSON of any shape
        """The data of an answer; None while there is no answer."""
        text = text_at(f"{self.url}/api/v1/{path}?{urlencode(query)}")
        return json.loads(text)["data"] if text else None

    def query(self, expression: str) -> dict[str, float]:
        """The values of an instant query by name and labels, such as `up{target="a"}`."""
        found = self.get("query", query=expression) or {"result": []}
        return {written(each["metric"]): float(each["value"][1]) for each in found["result"]}


def written(labels: dict[str, str]) -> str:
    """A series without job and instance, its labels in the order of their names."""
    named = sorted(labels.keys() - {"__name__", "job", "instance"})
    pairs = ",".join(f'{name}="{labels[name]}"' for name in named)
    return f"{labels.get('__name__', '')}{{{pairs}}}"


@contextmanager
def prometheus(folder: Path, configuration: str, *flags: str) -> Iterator[Prometheus]:
    """Prometheus with this configuration, answering; its data and log are kept in `folder`."""
    path = folder / "prometheus.yml"
    path.write_text(configuration)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "prometheus.log").open("w") as log:
        process = started(
            log,
            log,
            binary("prometheus"),
            f"--config.file={path}",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={address}",
            *flags,
            environ={},
        )
    found = Prometheus(f"http://{address}")
    try:
        until(lambda: found.get("status/buildinfo"))
        yield found
    finally:
        process.kill()
        process.wait()
