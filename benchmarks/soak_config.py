"""The targets of the soak, and the faulty vendors they poll."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from benchmarks.faulty_vendors import ACCOUNTS, is_affinda, is_faulty, key

if TYPE_CHECKING:
    from collections.abc import Iterator

INVALID: Final = "targets: ["
_CLOSED_PORT: Final = "http://127.0.0.1:9"
_HEADER: Final = """\
poll: {interval: 1s, stale_after: 60s, max_concurrent: 200, requests_per_second: 1000}
targets:
"""


class FaultyVendors(NamedTuple):
    """The vendors' process: its base URL, the broken server's address, and its command input."""

    url: str
    broken_server: str
    commands: IO[str]

    def send(self, command: str) -> None:
        """Send `faults` or `recover`."""
        self.commands.write(f"{command}\n")
        self.commands.flush()

    def valid_configuration(self) -> str:
        """All targets, at the vendors' URL."""
        return _HEADER + "".join(_target(account, self.url) for account in ACCOUNTS)

    def changing_configuration(self, step: int) -> str:
        """One of many configurations: targets are missing, or poll broken servers."""
        return _HEADER + "".join(
            _target(account, self._base_url(account, step))
            for account in ACCOUNTS
            if (account + step) % 16
        )

    def _base_url(self, account: int, step: int) -> str:
        if not is_faulty(account):
            return self.url
        broken = (f"http://{self.broken_server}", f"https://{self.broken_server}", _CLOSED_PORT)
        urls = (self.url,) * 3 + broken
        return urls[(account // 2 + step // 3) % len(urls)]


def _target(account: int, url: str) -> str:
    own = f"organization: oRg{account}" if is_affinda(account) else f"groups: [{account}]"
    vendor = "affinda" if is_affinda(account) else "xtracta"
    common = f'name: t{account}, vendor: {vendor}, base_url: "{url}", api_key: {key(account)}'
    return f"  - {{{common}, {own}}}\n"


@contextmanager
def faulty_vendors() -> Iterator[FaultyVendors]:
    """The vendors in a process of their own, without faults at first."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.faulty_vendors"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018  pipes were asked for
        url, broken_server = process.stdout.readline().split()
        yield FaultyVendors(url, broken_server, process.stdin)
        process.stdin.close()
