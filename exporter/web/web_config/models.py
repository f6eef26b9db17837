"""A loaded web configuration; the default is that of an exporter without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.web.web_config.tls import Tls


class RateLimit(NamedTuple):
    """The settings of a token bucket.

    Args:
        interval: seconds between two requests in the long run.
        burst: requests that are accepted at once; 0 rejects all.
    """

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Who may send requests, and how.

    Args:
        tls: how connections are encrypted, or None.
        headers: added to every response; names in lower case.
        users: bcrypt hashes by user name; if empty, no authentication is required.
        rate_limit: the limit of requests, or None.
    """

    tls: Tls | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_limit: RateLimit | None = None
