"""The catalogue: every metric once, and the samples of those that are the exporter's own.

Documents, dashboards, rules and tests read the catalogue.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.model import Allowance, Anomaly, FailureReason, Kind, MetricFamily, Sample
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from exporter.config.models import Target
    from exporter.model import PollResult
    from exporter.state.store import TargetSnapshot

_AS_OF: Final = "as of the last successful poll."


def _of_target(kind: Kind, name: str, words: str, *labels: str) -> MetricFamily:
    return MetricFamily(f"docusage_{name}", kind, words, ("target", "vendor", *labels))


def _of_allowance(name: str, words: str, *labels: str) -> MetricFamily:
    return _of_target("gauge", f"allowance_{name}", words, "account", "allowance", *labels)


RATIO: Final = _of_allowance("available_ratio", f"What is left of an allowance, 0 to 1, {_AS_OF}")
BURN: Final = _of_allowance("burn_per_day", f"Mean use of an allowance per day, {_AS_OF}")
EXHAUSTION: Final = _of_allowance(
    "exhaustion_timestamp_seconds",
    f"When an allowance runs out at its present rhythm of use, {_AS_OF}",
)
END: Final = _of_allowance(
    "end_timestamp_seconds", f"When the allowance's period, plan or prepayment ends, {_AS_OF}"
)
THRESHOLD: Final = _of_allowance(
    "threshold_ratio",
    "The ratio below which an alert of this severity is due, as configured (alerts).",
    "severity",
)
UP: Final = _of_target("gauge", "target_up", "1 if the target's last poll succeeded, else 0.")
INTERVAL: Final = _of_target(
    "gauge", "target_interval_seconds", "Time between two polls, as configured (poll.interval)."
)
STALE_AFTER: Final = _of_target(
    "gauge",
    "target_stale_after_seconds",
    "Age at which values are withdrawn, as configured (poll.stale_after).",
)
LAST_POLL: Final = _of_target(
    "gauge", "target_last_poll_timestamp_seconds", "When the last poll ended, well or not."
)
LAST_SUCCESS: Final = _of_target(
    "gauge", "target_last_success_timestamp_seconds", "When the last successful poll ended."
)
NEXT_POLL: Final = _of_target(
    "gauge", "target_next_poll_timestamp_seconds", "When the next poll is due."
)
DURATION: Final = _of_target(
    "gauge",
    "target_last_poll_duration_seconds",
    "How long the last poll took, waiting for the rate limit included.",
)
POLLS: Final = _of_target("counter", "target_polls_total", "Polls that ended, well or not.")
FAILURES: Final = _of_target(
    "counter", "target_poll_failures_total", "Polls that failed, by reason.", "reason"
)
REQUESTS: Final = _of_target(
    "counter", "target_api_requests_total", "Requests made to the vendor's API, retries included."
)
ANOMALIES: Final = _of_target(
    "counter",
    "target_response_anomalies_total",
    "Replies that were accepted but odd, by kind.",
    "kind",
)
RELOAD_OK: Final = MetricFamily(
    "docusage_exporter_config_last_reload_successful",
    "gauge",
    "1 if the configuration was good when it was last read, else 0.",
)
RELOADED_AT: Final = MetricFamily(
    "docusage_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration in force was read.",
)
BUILD: Final = MetricFamily(
    "docusage_exporter_build_info", "info", "The exporter's version.", ("version",)
)
METRICS: Final = (
    *(metric for vendor in VENDORS.values() for metric in vendor.metrics),
    *(RATIO, BURN, EXHAUSTION, END, THRESHOLD),
    *(UP, INTERVAL, STALE_AFTER, LAST_POLL, LAST_SUCCESS, NEXT_POLL, DURATION),
    *(POLLS, FAILURES, REQUESTS, ANOMALIES),
    *(RELOAD_OK, RELOADED_AT, BUILD),
)


class Table(NamedTuple):
    """Metrics whose only label beside the target is its vendor.

    Args:
        metrics: in some order.
        values: those of a target, in that order; None where it has none.
    """

    metrics: Sequence[MetricFamily]
    values: Callable[[TargetSnapshot], Sequence[float | None]]


CONFIGURED: Final = Table(
    (INTERVAL, STALE_AFTER),
    lambda snapshot: (snapshot.target.poll.interval, snapshot.target.poll.stale_after),
)


def _rhythm(snapshot: TargetSnapshot) -> Sequence[float | None]:
    state, last = snapshot.state, snapshot.state.last
    of_last = (state.is_up, last.at, last.next_at, last.duration) if last else (None,) * 4
    return (*of_last, state.succeeded_at, state.polls, state.requests)


RHYTHM: Final = Table((UP, LAST_POLL, NEXT_POLL, DURATION, LAST_SUCCESS, POLLS, REQUESTS), _rhythm)


def target_samples(snapshot: TargetSnapshot) -> Iterator[Sample]:
    """Every sample of a target."""
    if snapshot.poll_result:
        yield from poll_result_samples(snapshot.target, snapshot.poll_result)
    for metrics, values in (CONFIGURED, RHYTHM):
        for metric, value in zip(metrics, values(snapshot), strict=True):
            if value is not None:
                yield Sample(metric, (snapshot.target.vendor,), value)
    yield from error_counter_samples(
        snapshot.target.vendor, snapshot.state.failures, snapshot.state.anomalies
    )


_AMISS: Final = (
    *((FAILURES, reason.value) for reason in FailureReason),
    *((ANOMALIES, kind.value) for kind in Anomaly),
)


def error_counter_samples(
    vendor: str, failures: Sequence[int], anomalies: Sequence[int]
) -> Iterator[Sample]:
    """How often something was amiss; every kind is there from the start, nearly always 0.

    Args:
        vendor: the target's.
        failures: how many for each `FailureReason`, in their order.
        anomalies: how many of each `Anomaly`, in their order.
    """
    for (metric, what), count in zip(_AMISS, (*failures, *anomalies), strict=True):
        yield Sample(metric, (vendor, what), count)


def poll_result_samples(target: Target, poll_result: PollResult) -> Iterable[Sample]:
    """What a vendor reports of a target, and what that makes of its allowances."""
    of_allowances = [_allowance_samples(target, allowance) for allowance in poll_result.allowances]
    return chain(poll_result.samples, *of_allowances)


def _allowance_samples(target: Target, allowance: Allowance) -> Iterator[Sample]:
    labels = (target.vendor, allowance.account, allowance.allowance)
    yield Sample(RATIO, labels, allowance.ratio)
    for metric, value in (
        (BURN, allowance.burn_per_day),
        (EXHAUSTION, allowance.exhaustion),
        (END, allowance.end),
    ):
        if value is not None:
            yield Sample(metric, labels, value)
    yield Sample(THRESHOLD, (*labels, "warning"), target.alerts.warning_ratio)
    yield Sample(THRESHOLD, (*labels, "critical"), target.alerts.critical_ratio)
