"""File descriptors: how many there may be, shared out so that scrapes and polls starve no other."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CONNECTIONS: Final = 1000
_OTHERS: Final = 16  # for files, the event loop, name servers


def limit(ask: Callable[[int], tuple[int, int]] = resource.getrlimit) -> int | None:
    """How many the process may have; None for any number."""
    soft, _ = ask(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def for_connections(descriptors: int | None) -> int:
    """Connections of scrapers that may be held at the same time: a half, up to 1,000."""
    return MOST_CONNECTIONS if descriptors is None else min(MOST_CONNECTIONS, descriptors // 2)


def for_calls(descriptors: int | None) -> int | None:
    """Calls to vendors that may be under way: what scrapers and the program itself leave."""
    if descriptors is None:
        return None
    return max(1, descriptors - for_connections(descriptors) - _OTHERS)
