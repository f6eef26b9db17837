"""A past for Prometheus: what the exporter would have exposed about the demo's accounts.

The vendors' own request and parse code runs over the simulated vendors while their clock is moved;
the result is an OpenMetrics file for `promtool tsdb create-blocks-from openmetrics`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from exporter.app import VERSION, load_config
from exporter.demo import vendors as demo
from exporter.demo.scenario import demo_accounts, demo_config
from exporter.metrics.build_info import build_info
from exporter.metrics.catalogue import METRICS, RELOAD_OK, RELOADED_AT, SHARDS, target_samples
from exporter.metrics.exposition import Format, format_labels, format_value, metadata_lines
from exporter.model import (
    FailureReason,
    MetricFamily,
    PollError,
    PollFailure,
    PollOutcome,
    PollResult,
    Sample,
)
from exporter.state.store import StateStore
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from exporter.client.client import Request
    from exporter.config.models import Config, Target
    from exporter.demo.accounts import Accounts, Group, Plan
    from exporter.vendors.base import Poller

Fault = Callable[[str, datetime], FailureReason | None]
"""Why a target's poll fails at a moment, if it does."""

MEMORY: Final = MetricFamily(
    "process_resident_memory_bytes", "gauge", "Resident memory size in bytes."
)
CPU: Final = MetricFamily(
    "process_cpu_seconds_total", "counter", "Total user and system CPU time spent."
)
UP: Final = MetricFamily("up", "gauge", "Whether the scrape succeeded.")
_PROCESS: Final = (MEMORY, CPU, UP)


class History:
    """The demo's exporter, polled at chosen moments.

    Args:
        end: the moment at which the demo is set up, the last of its history.
        interval: time between two polls.
        fault: makes polls fail.
    """

    def __init__(self, end: datetime, interval: timedelta, fault: Fault = lambda *_: None) -> None:
        self._now = self._end = end
        self._interval = interval
        self._fault = fault
        self._vendors = demo.Vendors(demo_accounts(lambda: self._now))
        self._accounts = self._vendors.accounts
        config = _config(self._accounts, interval)
        self._fetches = {target.name: _connected(target) for target in config.targets}
        self._store = StateStore(self._clock)
        self._store.set_targets(config.targets)
        self._lines: defaultdict[str, list[str]] = defaultdict(list)

    def _clock(self) -> float:
        return self._now.timestamp()

    async def run(self, moments: Iterable[datetime], instance: str = "localhost:10086") -> str:
        """Poll and scrape at each moment; all of it as OpenMetrics."""
        for step, moment in enumerate(moments):
            self._now = moment
            self._vendors.accounts = _as_of(moment, self._accounts)
            for name, fetch in self._fetches.items():
                self._store.record(name, await self._poll(name, fetch))
            self._scrape(instance, step)
        return self._document()

    async def _poll(self, name: str, fetch: Poller) -> PollOutcome:
        requests = 0

        async def send(request: Request) -> bytes:
            nonlocal requests
            requests += 1
            if reason := self._fault(name, self._now):
                raise PollError(reason, "simulated")
            return _body(self._vendors.answer(_asked(request)))

        now = self._now.timestamp()
        result: PollResult | PollFailure
        try:
            result = await fetch(send, now)
        except PollError as error:
            result = error.failure
        duration = 0.11 + 0.07 * requests + 0.01 * (now // 900 % 7)
        return PollOutcome(result, duration, requests, now, now + self._interval.total_seconds())

    def _scrape(self, instance: str, step: int) -> None:
        for snapshot in self._store.snapshots():
            for sample in target_samples(snapshot):
                self._keep(sample, instance, snapshot.target.name)
        for sample in self._of_the_program(step):
            self._keep(sample, instance)

    def _of_the_program(self, step: int) -> Iterator[Sample]:
        yield Sample(RELOAD_OK, (), 1)
        yield Sample(RELOADED_AT, (), (self._end - timedelta(days=9)).timestamp())
        yield build_info(VERSION)
        yield Sample(SHARDS, ("0",), 1)
        yield Sample(MEMORY, (), 61e6 + step % 7 * 1e5)
        yield Sample(CPU, (), 0.9 + step * 1.7)
        yield Sample(UP, (), 1)

    def _keep(self, sample: Sample, instance: str, target: str | None = None) -> None:
        values = sample.labels if target is None else (target, *sample.labels)
        scraped = (("job", "docusage"), ("instance", instance))
        labels = format_labels((*scraped, *zip(sample.metric.labels, values, strict=True)))
        self._lines[sample.metric.name].append(
            f"{sample.metric.name}{{{labels}}} {format_value(sample.value)}"
            f" {self._now.timestamp():.0f}\n"
        )

    def _document(self) -> str:
        parts = []
        for metric in (*METRICS, *_PROCESS):
            parts += [
                metadata_lines(metric, Format.OPENMETRICS).decode(),
                *self._lines[metric.name],
            ]
        return "".join([*parts, "# EOF\n"])


def _config(accounts: Accounts, interval: timedelta) -> Config:
    text = demo_config(accounts, "http://127.0.0.1:1")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        seconds = int(interval.total_seconds())
        path.write_text(text.replace("interval: 15s", f"interval: {seconds}s"), encoding="utf-8")
        return load_config(path, {})


def _connected(target: Target) -> Poller:
    return VENDORS[target.vendor].create_poller(target)


def _asked(request: Request) -> demo.Request:
    parts = urlsplit(request.url)
    return demo.Request(
        request.method,
        parts.path,
        dict(parse_qsl(parts.query)),
        {name.lower(): value for name, value in request.headers.items()},
        dict(parse_qsl((request.body or b"").decode())),
    )


def _body(response: demo.SimulatedResponse) -> bytes:
    if response.status == 401:
        raise PollError(FailureReason.AUTH, "simulated")
    return response.body


def _as_of(moment: datetime, accounts: Accounts) -> Accounts:
    """The world with the plan periods that were current at `moment`."""
    return replace(accounts, groups=tuple(_group_as_of(moment, group) for group in accounts.groups))


def _group_as_of(moment: datetime, group: Group) -> Group:
    return replace(
        group,
        plans=tuple(_plan_as_of(moment, plan) for plan in group.plans),
        packs=tuple(_plan_as_of(moment, pack) for pack in group.packs),
        subgroups=tuple(_group_as_of(moment, below) for below in group.subgroups),
    )


def _plan_as_of(moment: datetime, plan: Plan) -> Plan:
    """The period of `plan` that holds `moment`, used as the present one is, moved in time."""
    length = plan.expiry - plan.start
    periods = -((moment - plan.start) // length) if moment < plan.start else 0
    shift = periods * length
    return replace(
        plan,
        start=plan.start - shift,
        expiry=plan.expiry - shift,
        used=lambda now: plan.used_at(now + shift),
    )
