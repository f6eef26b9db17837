"""Settings, pollers and transports for tests of the vendors."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from own_thread import in_own_thread

from exporter.client.client import HttpClient, Response, as_transport
from exporter.demo.vendors import Request as ServerRequest
from exporter.model import PollFailure, PollResult
from exporter.polling.limits import RateLimiter
from exporter.polling.poll import PollAttempt, PollTarget, poll_once
from exporter.vendors import VENDORS
from exporter.vendors.affinda.settings import Settings as AffindaSettings
from exporter.vendors.xtracta.settings import Settings as XtractaSettings

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from exporter.client.client import Request, RoundTripper
    from exporter.config.models import Target
    from exporter.demo.vendors import Vendors
    from exporter.model import MetricFamily
    from exporter.vendors.base import Poller, Transport

KEY = "k-3141592653"
TIMEOUT = 0.3  # seconds, where a poll must exceed it
LONG_TIMEOUT = 5.0  # seconds, where no poll may exceed it
T = TypeVar("T")
CLIENT = HttpClient("test/1")


def affinda_settings(**keys: object) -> AffindaSettings:
    known = {"name": "acme", "vendor": "affinda", "organization": "oRg1", "api_key": KEY}
    return AffindaSettings.model_validate(known | keys)


def xtracta_settings(**keys: object) -> XtractaSettings:
    known = {"name": "acme", "vendor": "xtracta", "api_key": KEY}
    return XtractaSettings.model_validate(known | keys)


def responses(vendors: Vendors) -> RoundTripper:
    """Round trips to simulated vendors without any network."""

    async def send(request: Request) -> Response:
        parts = urlsplit(request.url)
        simulated = vendors.answer(
            ServerRequest(
                request.method,
                parts.path,
                dict(parse_qsl(parts.query)),
                {name.lower(): value for name, value in request.headers.items()},
                dict(parse_qsl((request.body or b"").decode())),
            )
        )
        return Response(
            simulated.status, (("content-type", simulated.content_type),), simulated.body
        )

    return send


def directly(vendors: Vendors) -> Transport:
    """A transport to simulated vendors without any network."""
    return as_transport(responses(vendors), time.time)


def poll(fetch: Poller, vendors: Vendors, now: float = 0.0) -> PollResult:
    """One poll, in an event loop of its own."""

    async def main() -> PollResult:
        return await fetch(directly(vendors), now)

    return run(main())


def values(poll_result: PollResult, metrics: Iterable[MetricFamily]) -> dict[str, float]:
    """The result's values of `metrics` by name; each occurs once at most."""
    names = {metric.name for metric in metrics}
    found = [(sample.metric.name, sample.value) for sample in poll_result.samples]
    chosen = [(name, value) for name, value in found if name in names]
    assert len(dict(chosen)) == len(chosen)
    return dict(chosen)


def series(poll_result: PollResult) -> dict[str, float]:
    """Every sample as `name{value,value}`, without the target."""
    return {
        f"{sample.metric.name}{{{','.join(sample.labels)}}}": sample.value
        for sample in poll_result.samples
    }


def source(base_url: str, **keys: object) -> PollTarget:
    """An Affinda target that asks over the network, with 5 seconds for a poll."""
    known = {"base_url": base_url, "poll": {"timeout": f"{LONG_TIMEOUT}s"}}
    return connected(affinda_settings(**(known | keys)))


def connected(target: Target) -> PollTarget:
    """A target with its poller and its transport."""
    fetch = VENDORS[target.vendor].create_poller(target)
    return PollTarget(target, fetch, CLIENT.transport(target.http))


async def polled(poll_target: PollTarget) -> PollAttempt:
    """One poll, as the exporter makes it: in a task of its own."""
    return await asyncio.create_task(poll_once(poll_target, RateLimiter(1000.0), time.time))


def run(main: Coroutine[Any, Any, T]) -> T:
    return in_own_thread(asyncio.run, main)


def credits_today(attempt: PollAttempt) -> float:
    """What a successful poll found."""
    assert isinstance(attempt.result, PollResult), attempt.result
    return series(attempt.result)["affinda_credits_daily{oRg1}"]


def failure(attempt: PollAttempt) -> PollFailure:
    """How a failed poll failed."""
    assert isinstance(attempt.result, PollFailure), attempt.result
    return attempt.result
