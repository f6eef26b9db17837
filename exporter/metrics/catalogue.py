"""The catalogue: every metric the exporter exposes, and the samples of a target.

Documents, dashboards, rules and tests read the catalogue.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from exporter.model import Kind, MetricFamily, Sample
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.config.models import Target
    from exporter.model import Allowance, PollResult
    from exporter.state.store import TargetSnapshot

_AS_OF: Final = "as of the last successful poll."


def _target_metric(kind: Kind, name: str, help_text: str, *labels: str) -> MetricFamily:
    return MetricFamily(f"docusage_{name}", kind, help_text, ("target", "vendor", *labels))


def _allowance_metric(
    name: str, help_text: str, *labels: str, kind: Kind = "gauge"
) -> MetricFamily:
    return _target_metric(kind, f"allowance_{name}", help_text, "account", "allowance", *labels)


ALLOWANCE_INFO: Final = _allowance_metric(
    "info",
    f"Display names and unit of an allowance, {_AS_OF}",
    "account_name",
    "allowance_name",
    "unit",
    kind="info",
)
ALLOWED: Final = _allowance_metric(
    "allowed", f"Size of an allowance in its own unit (see docusage_allowance_info), {_AS_OF}"
)
USED: Final = _allowance_metric("used", f"Used part of an allowance in its own unit, {_AS_OF}")
AVAILABLE_RATIO: Final = _allowance_metric(
    "available_ratio", f"Available share of an allowance, 0 to 1, {_AS_OF}"
)
BURN_PER_DAY: Final = _allowance_metric(
    "burn_per_day", f"Expected daily usage of an allowance in its own unit, {_AS_OF}"
)
EXHAUSTION: Final = _allowance_metric(
    "exhaustion_timestamp_seconds",
    f"Forecast time at which an allowance is used up, {_AS_OF}",
)
EXHAUSTION_EARLIEST: Final = _allowance_metric(
    "exhaustion_earliest_timestamp_seconds",
    f"Time before which an allowance is used up in 1 of 10 cases, {_AS_OF}",
)
EXHAUSTION_LATEST: Final = _allowance_metric(
    "exhaustion_latest_timestamp_seconds",
    f"Time after which an allowance is used up in 1 of 10 cases, {_AS_OF}",
)
PROJECTED_USED_RATIO: Final = _allowance_metric(
    "projected_used_ratio",
    f"Share of an allowance expected to be used when its period ends, may exceed 1, {_AS_OF}",
)
RENEWS: Final = _allowance_metric(
    "renews",
    "1 if the allowance is renewed at its end, as configured or as past periods show; "
    "absent otherwise.",
)
END: Final = _allowance_metric(
    "end_timestamp_seconds", f"End of the period, plan or prepayment of an allowance, {_AS_OF}"
)
THRESHOLD: Final = _allowance_metric(
    "threshold_ratio",
    "Available ratio below which an alert of this severity fires, as configured (alerts).",
    "severity",
)
UP: Final = _target_metric("gauge", "target_up", "1 if the last poll succeeded, 0 if it failed.")
FAILING: Final = _target_metric(
    "gauge",
    "target_failing",
    "1 while the last poll failed for this reason; absent otherwise.",
    "reason",
)
SCOPES_FAILING: Final = _target_metric(
    "gauge",
    "target_scopes_failing",
    "Workspaces, groups and other parts of the target that could not be read; absent while none.",
)
INTERVAL: Final = _target_metric(
    "gauge", "target_interval_seconds", "Time between two polls, as configured (poll.interval)."
)
STALE_AFTER: Final = _target_metric(
    "gauge",
    "target_stale_after_seconds",
    "Age at which values expire, as configured (poll.stale_after).",
)
LAST_POLL: Final = _target_metric(
    "gauge", "target_last_poll_timestamp_seconds", "End of the last poll, successful or not."
)
LAST_SUCCESS: Final = _target_metric(
    "gauge", "target_last_success_timestamp_seconds", "End of the last successful poll."
)
NEXT_POLL: Final = _target_metric(
    "gauge", "target_next_poll_timestamp_seconds", "Time at which the next poll is due."
)
DURATION: Final = _target_metric(
    "gauge",
    "target_last_poll_duration_seconds",
    "Duration of the last poll, including time spent waiting for the rate limit.",
)
POLLS: Final = _target_metric("counter", "target_polls_total", "Polls, successful or not.")
FAILURES: Final = _target_metric("counter", "target_poll_failures_total", "Failed polls.")
REQUESTS: Final = _target_metric(
    "counter", "target_api_requests_total", "Requests that polls sent to the vendor API."
)
ANOMALIES: Final = _target_metric(
    "counter",
    "target_response_anomalies_total",
    "Anomalies in responses that were accepted nevertheless; a kind is absent until first seen.",
    "kind",
)
RELOAD_OK: Final = MetricFamily(
    "docusage_exporter_config_last_reload_successful",
    "gauge",
    "1 if the last attempt to load the configuration succeeded, 0 if it failed.",
)
RELOADED_AT: Final = MetricFamily(
    "docusage_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "Time at which the active configuration was loaded.",
)
BUILD: Final = MetricFamily(
    "docusage_exporter_build_info",
    "info",
    "Version and source revision of the exporter, and the version of Python it runs on.",
    ("version", "revision", "pythonversion"),
)
SHARDS: Final = MetricFamily(
    "docusage_exporter_shards",
    "gauge",
    "Number of exporters that share the targets (--shard); the label is this one's index, from 0.",
    ("shard",),
)
METRICS: Final = (
    *(metric for vendor in VENDORS.values() for metric in vendor.metrics),
    *(ALLOWANCE_INFO, ALLOWED, USED, AVAILABLE_RATIO, BURN_PER_DAY),
    *(EXHAUSTION, EXHAUSTION_EARLIEST, EXHAUSTION_LATEST, PROJECTED_USED_RATIO),
    *(RENEWS, END, THRESHOLD),
    *(
        UP,
        FAILING,
        SCOPES_FAILING,
        INTERVAL,
        STALE_AFTER,
        LAST_POLL,
        LAST_SUCCESS,
        NEXT_POLL,
        DURATION,
    ),
    *(POLLS, FAILURES, REQUESTS, ANOMALIES),
    *(RELOAD_OK, RELOADED_AT, BUILD, SHARDS),
)
"""Every metric, in the order in which they are exposed."""


def target_samples(snapshot: TargetSnapshot) -> Iterator[Sample]:
    """Every sample of a target."""
    target, state, _ = snapshot
    vendor = (target.vendor,)
    if snapshot.result:
        yield from poll_result_samples(target, snapshot.result)
    if state.last_poll:
        yield Sample(UP, vendor, state.is_up)
        yield Sample(LAST_POLL, vendor, state.last_poll.at)
        yield Sample(NEXT_POLL, vendor, state.last_poll.next_at)
        yield Sample(DURATION, vendor, state.last_poll.duration)
    if state.succeeded_at is not None:
        yield Sample(LAST_SUCCESS, vendor, state.succeeded_at)
    yield Sample(INTERVAL, vendor, target.poll.interval)
    yield Sample(STALE_AFTER, vendor, target.poll.stale_after)
    yield Sample(POLLS, vendor, state.polls)
    yield Sample(FAILURES, vendor, state.failures)
    yield Sample(REQUESTS, vendor, state.requests)
    if state.failure:
        yield Sample(FAILING, (target.vendor, state.failure.reason.value), 1)
    if snapshot.scope_failures:
        yield Sample(SCOPES_FAILING, vendor, len(snapshot.scope_failures))
    for kind, count in state.anomalies.items():
        yield Sample(ANOMALIES, (target.vendor, kind.value), count)


def poll_result_samples(target: Target, poll_result: PollResult) -> Iterable[Sample]:
    """The samples of a poll result: the vendor's own, and those of its allowances."""
    of_allowances = [_allowance_samples(target, allowance) for allowance in poll_result.allowances]
    return chain(poll_result.samples, *of_allowances)


def _allowance_samples(target: Target, allowance: Allowance) -> Iterator[Sample]:
    labels = (target.vendor, allowance.account, allowance.allowance)
    names = (allowance.account_name, allowance.allowance_name, allowance.unit)
    yield Sample(ALLOWANCE_INFO, (*labels, *names), 1)
    for metric, value in (
        (ALLOWED, allowance.allowed),
        (USED, allowance.used),
        (AVAILABLE_RATIO, allowance.ratio),
        (BURN_PER_DAY, allowance.burn_per_day),
        (EXHAUSTION, allowance.exhaustion),
        (EXHAUSTION_EARLIEST, allowance.exhaustion_earliest),
        (EXHAUSTION_LATEST, allowance.exhaustion_latest),
        (PROJECTED_USED_RATIO, allowance.projected_used_ratio),
        (RENEWS, allowance.renews or None),
        (END, allowance.end),
    ):
        if value is not None:
            yield Sample(metric, labels, value)
    yield Sample(THRESHOLD, (*labels, "warning"), target.alerts.warning_ratio)
    yield Sample(THRESHOLD, (*labels, "critical"), target.alerts.critical_ratio)
