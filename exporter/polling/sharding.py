"""Which of several exporters polls a target: each polls its own, and every target is one's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.config.models import Target

MOST: Final = 1000  # shards
_WRITTEN: Final = re.compile(r"(?:[a-z0-9][a-z0-9.-]*-)?([0-9]{1,4})/([0-9]{1,4})")


class ShardError(Exception):
    """A shard that cannot be, in words for the user."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` exporters that share a configuration; `index` counts from 0."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard written as `i/n`, where `i` may be a pod's name that ends in its ordinal.

        Raises:
            ShardError: if it is written otherwise, or `i` is not below `n`.
        """
        match = _WRITTEN.fullmatch(text)
        if not match or not int(match[1]) < int(match[2]) <= MOST:
            raise ShardError(
                f"{text!r} is no shard; write i/n with i from 0 to n-1 and n at most {MOST}"
            )
        return cls(int(match[1]), int(match[2]))

    def share(self, targets: Iterable[Target]) -> tuple[Target, ...]:
        """Those of the targets that this shard polls, in their order."""
        return tuple(target for target in targets if bucket(target.name, self.count) == self.index)

    def __str__(self) -> str:
        """For people; nothing where there is only one."""
        return f"shard {self.index} of {self.count}" if self.count > 1 else ""


UNSHARDED: Final = Shard()
"""The one shard of an exporter that polls everything."""


def bucket(name: str, count: int) -> int:
    """The number, below `count`, of the shard that polls the target of this name.

    Jump consistent hashing (Lamping and Veach, 2014): one shard more takes its equal share from
    all the others, and nothing moves between those.
    """
    key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    found, following = 0, 0
    while following < count:
        found = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = int((found + 1) * 2**31 / ((key >> 33) + 1))
    return found
