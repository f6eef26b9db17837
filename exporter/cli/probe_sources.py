"""Where the responses of a probe come from: from the vendors, or from a capture."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

from exporter.app import USER_AGENT, load_config
from exporter.capture.format import load
from exporter.capture.replay import replayed_targets
from exporter.client.client import HttpClient
from exporter.client.proxies import proxy_url
from exporter.model import PollOutcome
from exporter.polling.limits import PollSlots, RateLimiter
from exporter.polling.poll import poll_once
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from exporter.client.client import RoundTripper
    from exporter.config.models import Target
    from exporter.polling.poll import PollTarget


class Source(Protocol):
    """Where responses come from."""

    targets: Sequence[Target]

    def round_tripper(self, target: Target) -> RoundTripper:
        """What sends the requests of a target."""

    def clock(self, target: Target) -> Callable[[], float]:
        """The time for a target, Unix seconds."""

    def proxy(self, target: Target) -> str | None:
        """The URL of the proxy of a target, if it has one."""

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        """Poll once."""

    def printed(self) -> float:
        """When the result is printed, Unix seconds."""

    def warnings(self, targets: Sequence[Target]) -> list[str]:
        """What to print after a probe of these targets."""


class VendorSource:
    """The vendors.

    Args:
        path: the configuration.
        environ: environment variables.

    Raises:
        ConfigError: it is invalid.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        config = load_config(path, environ, is_pipe_allowed=True)
        self.targets: Sequence[Target] = config.targets
        self._client = HttpClient(USER_AGENT)
        self._slots = PollSlots(
            config.poll.max_concurrent, RateLimiter(config.poll.requests_per_second)
        )

    def round_tripper(self, target: Target) -> RoundTripper:
        """The client's, with the target's settings."""
        return self._client.round_tripper(target.http)

    def clock(self, _target: Target) -> Callable[[], float]:
        """The system's."""
        return time.time

    def proxy(self, target: Target) -> str | None:
        """As the client finds it."""
        return proxy_url(target.http, target.address, os.environ)

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        """Poll once, within the limits of all polls."""
        async with self._slots.acquire(poll_target.host):
            attempt = await poll_once(poll_target, self._slots.rate_limiter, time.time)
        now = time.time()
        return PollOutcome(*attempt, at=now, next_at=now)

    def printed(self) -> float:
        """Now."""
        return time.time()

    def warnings(self, _targets: Sequence[Target]) -> list[str]:
        """Nothing."""
        return []


class CaptureSource:
    """A capture.

    Args:
        path: its folder.

    Raises:
        CaptureError: it cannot be replayed.
    """

    def __init__(self, path: Path) -> None:
        self._capture = load(path)
        self._replayed = {
            each.target.name: each for each in replayed_targets(self._capture, VENDORS)
        }
        self.targets: Sequence[Target] = [each.target for each in self._replayed.values()]

    def round_tripper(self, target: Target) -> RoundTripper:
        """What was recorded."""
        return self._replayed[target.name].round_trip

    def clock(self, target: Target) -> Callable[[], float]:
        """When the target was polled."""
        return self._replayed[target.name].now

    def proxy(self, _target: Target) -> str | None:
        """None: nothing is sent."""
        return None

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        """Poll once, at the captured time."""
        return await self._replayed[poll_target.target.name].poll(poll_target)

    def printed(self) -> float:
        """When the captured result was printed."""
        return self._capture.printed

    def warnings(self, targets: Sequence[Target]) -> list[str]:
        """Requests that this version does not make."""
        counts = {target.name: self._replayed[target.name].not_requested for target in targets}
        return [
            f"{name}: recorded requests that were not made: {count}"
            for name, count in counts.items()
            if count
        ]
