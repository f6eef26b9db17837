"""Sharding: several exporters share a configuration, and each target is polled by one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.config.models import Target

MAX_SHARDS: Final = 1000
_PATTERN: Final = re.compile(r"(?:[a-z0-9][a-z0-9.-]*-)?([0-9]{1,4})/([0-9]{1,4})")


class ShardError(Exception):
    """An invalid shard; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` exporters that share a configuration; `index` counts from 0."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `INDEX/COUNT`, where INDEX may be a pod name that ends in its ordinal.

        Raises:
            ShardError: if the text is anything else, or INDEX is not below COUNT.
        """
        match = _PATTERN.fullmatch(text)
        if not match or not int(match[1]) < int(match[2]) <= MAX_SHARDS:
            raise ShardError(
                f"invalid shard {text!r}; expected INDEX/COUNT with INDEX from 0 to COUNT-1 "
                f"and COUNT at most {MAX_SHARDS}"
            )
        return cls(int(match[1]), int(match[2]))

    def select(self, targets: Iterable[Target]) -> tuple[Target, ...]:
        """The targets that this shard polls, in their order."""
        return tuple(
            target for target in targets if shard_index(target.name, self.count) == self.index
        )

    def __str__(self) -> str:
        """For display; empty if there is only one shard."""
        return f"shard {self.index} of {self.count}" if self.count > 1 else ""


UNSHARDED: Final = Shard()
"""The only shard of an exporter that polls every target."""


def shard_index(name: str, count: int) -> int:
    """The index, below `count`, of the shard that polls the target of this name.

    Jump consistent hashing (Lamping and Veach, 2014): an added shard takes an equal share from
    all others, and no target moves between those.
    """
    key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    index, candidate = 0, 0
    while candidate < count:
        index = candidate
        key = (key * 2862933555777941757 + 1) % 2**64
        candidate = int((index + 1) * 2**31 / ((key >> 33) + 1))
    return index
