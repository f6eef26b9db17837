"""Targets at vendors that fail when they are told to: their configuration, and the vendors."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from benchmarks.faulty_vendors import ACCOUNTS, is_affinda, is_faulty, key

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSED: Final = "http://127.0.0.1:9"
_HEAD: Final = """\
poll: {interval: 1s, stale_after: 60s, max_concurrent: 200, requests_per_second: 1000}
targets:
"""


class Vendors(NamedTuple):
    """The vendors' process: its base URL, the address of what breaks connections, its ear."""

    url: str
    breaker: str
    ear: IO[str]

    def tell(self, word: str) -> None:
        """Begin a `storm` or a `calm`."""
        self.ear.write(f"{word}\n")
        self.ear.flush()

    def configuration(self, turn: int | None) -> str:
        """All targets as they should be, or as the turn of a storm has them."""
        return _HEAD + "".join(
            _target(number, self.url if turn is None else self._aim(number, turn))
            for number in ACCOUNTS
            if turn is None or (number + turn) % 16
        )

    def _aim(self, number: int, turn: int) -> str:
        broken = (f"http://{self.breaker}", f"https://{self.breaker}", _CLOSED)
        aims = (self.url,) * 3 + broken
        return aims[(number // 2 + turn // 3) % len(aims)] if is_faulty(number) else self.url


def _target(number: int, url: str) -> str:
    own = f"organization: oRg{number}" if is_affinda(number) else f"groups: [{number}]"
    vendor = "affinda" if is_affinda(number) else "xtracta"
    common = f'name: t{number}, vendor: {vendor}, base_url: "{url}", api_key: {key(number)}'
    return f"  - {{{common}, {own}}}\n"


@contextmanager
def vendors() -> Iterator[Vendors]:
    """The vendors in a process of their own, calm for now."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.faulty_vendors"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018  pipes were asked for
        url, breaker = process.stdout.readline().split()
        yield Vendors(url, breaker, process.stdin)
        process.stdin.close()
