"""The programs under comparison, each started on loopback and terminated with its context."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.client import PLAIN, Scraper
from benchmarks.workload import common_interval, config

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence

    from benchmarks.workload import OwnInterval

_READY_TIMEOUT: Final = 600.0  # seconds
EXPORTER: Final = Path(sys.executable).with_name("docusage-exporter")
_NGINX: Final = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off; types {{}} default_type text/plain; gzip_static on; sendfile on;
  keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


class Program(NamedTuple):
    """A running program."""

    pid: int
    port: int

    @property
    def memory(self) -> float:
        """Resident memory, MB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def free_port() -> int:
    """A port without a listener."""
    with create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextmanager
def _running(command: Sequence[str | Path], port: int) -> Iterator[Program]:
    # The system's authorities count, not the hundreds of files that a machine's variables may name.
    environ = {name: value for name, value in os.environ.items() if "SSL_CERT" not in name}
    process = subprocess.Popen(  # noqa: S603  our own words
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Program(process.pid, port)
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(program: Program) -> None:
    """Wait until every target has been polled, with requests too rare to be a load.

    Raises:
        TimeoutError: as below.
    """
    wait_for_page(program.port, "/-/ready", pause=0.5)


def wait_for_page(
    port: int,
    path: str = "/metrics",
    pause: float = 0.002,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Wait until a path returns 200.

    Raises:
        TimeoutError: it did not for ten minutes.
    """
    end = time.monotonic() + _READY_TIMEOUT
    while time.monotonic() < end:
        try:
            with Scraper(port, PLAIN, path, tls) as scraper:
                scraper.scrape()
                return
        except (OSError, ValueError):
            time.sleep(pause)
    raise TimeoutError(path)


@contextmanager
def vendors(targets: int, responses: str = "unchanged") -> Iterator[str]:
    """The simulated vendors, whose responses are `unchanged` or `changed`; their base URL."""
    command = [sys.executable, "-m", "benchmarks.vendors", str(targets), responses]
    with subprocess.Popen(  # noqa: S603  our own words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018  pipes were asked for
        yield process.stdout.readline().strip()
        process.stdin.close()


@contextmanager
def exporter(
    folder: Path,
    targets: int,
    url: str,
    interval: str = "1d",
    own_interval: OwnInterval = common_interval,
) -> Iterator[Program]:
    """The exporter, possibly not yet ready; the arguments are those of `config`."""
    file = folder / "exporter.yaml"
    file.write_text(config(targets, url, interval, own_interval), encoding="ascii")
    port = free_port()
    flags = [f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with _running([EXPORTER, *flags], port) as program:
        yield program


@contextmanager
def nginx(folder: Path, plain: bytes, compressed: bytes) -> Iterator[Program]:
    """One nginx process, serving these bytes as a static file."""
    port = free_port()
    (folder / "metrics").write_bytes(plain)
    (folder / "metrics.gz").write_bytes(compressed)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port), encoding="utf-8")
    command: list[str | Path] = ["/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"]
    with _running(command, port) as program:
        wait_for_page(port)
        yield program


@contextmanager
def pushgateway() -> Iterator[Program]:
    """The pushgateway, without any series."""
    port = free_port()
    flags = [f"--web.listen-address=127.0.0.1:{port}", "--push.disable-consistency-check"]
    with _running(["/usr/bin/prometheus-pushgateway", *flags], port) as program:
        wait_for_page(port)
        yield program


@contextmanager
def library(page: Path, changes: int = 0) -> Iterator[Program]:
    """The client library's own server, with a gauge for each line of a page.

    Args:
        page: the file with the page.
        changes: number of targets that get new values each second.
    """
    port = free_port()
    module = [sys.executable, "-m", "benchmarks.library"]
    with _running([*module, str(port), page, str(changes)], port) as program:
        yield program
