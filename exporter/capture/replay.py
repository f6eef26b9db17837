"""Polls targets against a capture: the same result offline, at the captured time."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from math import inf
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from pydantic import ValidationError

from exporter.capture.errors import CaptureError
from exporter.capture.format import Call
from exporter.capture.record import KEY, call_without_keys, without_key
from exporter.client.client import Response
from exporter.model import FailureReason, PollError, PollOutcome
from exporter.polling.limits import RateLimiter
from exporter.polling.poll import poll_once
from exporter.secrets import Secret, SecretFinder
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from exporter.capture.format import TargetCapture
    from exporter.client.client import Request
    from exporter.config.models import Target
    from exporter.model import PollFailure
    from exporter.polling.poll import PollTarget

_OTHERS_FIRST: Final = 0.05  # seconds in which the recorded responses are read


class ReplayedTarget:
    """A target of a capture.

    Each request gets what the same request got; the first one of several equal ones gets what was
    recorded first, and so on.

    Args:
        captured: the target.

    Raises:
        CaptureError: its vendor is not known, or its settings are invalid now.
    """

    def __init__(self, captured: TargetCapture) -> None:
        self.target = _settings(captured)
        self._captured = captured
        self._keys = SecretFinder([Secret(KEY)])
        self._outcomes: defaultdict[Call, deque[Response | PollFailure | None]] = defaultdict(deque)
        for call, outcome in captured.exchanges:
            self._outcomes[_decoded(call)].append(outcome)

    @property
    def not_requested(self) -> int:
        """How many recorded requests were not made again."""
        return sum(map(len, self._outcomes.values()))

    def now(self) -> float:
        """When the poll started, Unix seconds."""
        return self._captured.started

    async def round_trip(self, request: Request, /) -> Response:
        """The recorded response; see `RoundTripper`."""
        outcomes = self._outcomes[_decoded(call_without_keys(request, self._keys))]
        if not outcomes:
            raise PollError(FailureReason.CONNECT, "the capture has no such request")
        outcome = outcomes.popleft()
        if isinstance(outcome, Response):
            return outcome
        if outcome:
            raise PollError(*outcome)
        await asyncio.sleep(_OTHERS_FIRST)
        raise TimeoutError  # as the end of the poll's time raises it

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        """Poll once; the outcome has the recorded times. See `ProbedTarget`."""
        result, _, requests = await poll_once(poll_target, RateLimiter(inf), self.now)
        at = self._captured.ended
        return PollOutcome(result, self._captured.duration, requests, at=at, next_at=at)


def _settings(captured: TargetCapture) -> Target:
    vendor = VENDORS.get(captured.vendor)
    if vendor is None:
        raise CaptureError(f'target {captured.name}: the vendor "{captured.vendor}" is unknown')
    try:
        target = vendor.settings.model_validate(_with_tuples({**captured.settings, "api_key": KEY}))
    except ValidationError as error:
        places = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise CaptureError(f"target {captured.name}: invalid settings: {places}") from None
    return without_key(target, captured.key_error) if captured.key_error else target


def _with_tuples(value: Any) -> Any:  # noqa: ANN401  of any shape
    """A configuration's models expect lists as tuples."""
    if isinstance(value, dict):
        return {name: _with_tuples(item) for name, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _decoded(call: Call) -> Call:
    """The request in the form in which equal ones are equal, however they are quoted."""
    return Call(*map(unquote_plus, call))
