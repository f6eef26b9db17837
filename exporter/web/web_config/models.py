"""Who may scrape, and how: what a web configuration amounts to, and what holds without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.web.web_config.tls import Tls


class Rate(NamedTuple):
    """A request every `interval` seconds, and a `burst` of some at once."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Who may scrape, and how.

    Args:
        tls: how connections are encrypted, or None.
        headers: for every response; names in lower case.
        users: bcrypt hashes by name; without any, no password is asked for.
        rate: how often requests are let through, or None.
    """

    tls: Tls | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate: Rate | None = None
