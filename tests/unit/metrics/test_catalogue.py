"""The catalogue, and what is told of a target in each of its states."""

from __future__ import annotations

import re

import pytest
from fake_targets import POLL_RESULT, TIMEOUT, allowance, outcome, target

from exporter.metrics.catalogue import METRICS, target_samples
from exporter.model import Anomaly, MetricFamily, PollOutcome, PollResult
from exporter.state.store import TargetSnapshot, TargetState

TARGET = target(poll={"interval": "1m", "stale_after": "4m"}, alerts={"warning_ratio": 0.3})


def told(*outcomes: PollOutcome, is_stale: bool = False) -> dict[str, float]:
    """Every sample of the target after these polls, by its name and its labels' values."""
    state = TargetState()
    for each in outcomes:
        state = state.after(each, 0)
    samples = list(target_samples(TargetSnapshot(TARGET, state, is_stale)))
    found = {" ".join((each.metric.name, *each.labels)): each.value for each in samples}
    assert len(found) == len(samples)
    return found


REASONS = (
    *("dns", "connect", "tls", "timeout", "auth", "rate_limited", "client_error"),
    *("server_error", "redirect", "too_large", "malformed", "vendor_error", "secret", "internal"),
)
KINDS = (
    *("unknown_field", "total_mismatch", "available_mismatch"),
    *("window_mismatch", "scope_mismatch", "duplicate_day"),
)
COUNTERS = {
    "docusage_target_polls_total acme",
    "docusage_target_api_requests_total acme",
    *(f"docusage_target_poll_failures_total acme {reason}" for reason in REASONS),
    *(f"docusage_target_response_anomalies_total acme {kind}" for kind in KINDS),
}
CONFIGURED = {
    "docusage_target_interval_seconds acme": 60,
    "docusage_target_stale_after_seconds acme": 240,
}
VALUES = {
    "affinda_credits_daily org": 12,
    "affinda_credits_available org": 300,
    "docusage_allowance_available_ratio acme org credits": 0.3,
    "docusage_allowance_burn_per_day acme org credits": 50,
    "docusage_allowance_exhaustion_timestamp_seconds acme org credits": 1_790_000_000,
    "docusage_allowance_end_timestamp_seconds acme org credits": 1_800_000_000,
    "docusage_allowance_threshold_ratio acme org credits warning": 0.3,
    "docusage_allowance_threshold_ratio acme org credits critical": 0.05,
}


def test_before_its_first_poll_a_target_has_its_settings_and_counters_at_zero() -> None:
    assert told() == CONFIGURED | dict.fromkeys(COUNTERS, 0)


def test_after_a_success_a_target_has_its_values_and_their_times() -> None:
    assert told(outcome(at=1000)) == CONFIGURED | VALUES | dict.fromkeys(COUNTERS, 0) | {
        "docusage_target_up acme": 1,
        "docusage_target_last_poll_timestamp_seconds acme": 1000,
        "docusage_target_last_success_timestamp_seconds acme": 1000,
        "docusage_target_next_poll_timestamp_seconds acme": 1900,
        "docusage_target_last_poll_duration_seconds acme": 0.25,
        "docusage_target_polls_total acme": 1,
        "docusage_target_api_requests_total acme": 2,
    }


FAILED = {
    "docusage_target_up acme": 0,
    "docusage_target_last_poll_timestamp_seconds acme": 2000,
    "docusage_target_last_success_timestamp_seconds acme": 1000,
    "docusage_target_next_poll_timestamp_seconds acme": 2900,
    "docusage_target_last_poll_duration_seconds acme": 0.25,
    "docusage_target_polls_total acme": 2,
    "docusage_target_api_requests_total acme": 4,
    "docusage_target_poll_failures_total acme timeout": 1,
}


def test_a_failure_leaves_the_values_as_they_were() -> None:
    told_then = told(outcome(at=1000), outcome(TIMEOUT, at=2000))
    assert told_then == CONFIGURED | VALUES | dict.fromkeys(COUNTERS, 0) | FAILED


def test_withdrawn_values_take_neither_state_nor_times_with_them() -> None:
    told_then = told(outcome(at=1000), outcome(TIMEOUT, at=2000), is_stale=True)
    assert told_then == CONFIGURED | dict.fromkeys(COUNTERS, 0) | FAILED


def test_a_target_that_never_succeeded_has_no_time_of_success() -> None:
    assert "docusage_target_last_success_timestamp_seconds acme" not in told(outcome(TIMEOUT))


def test_odd_replies_are_counted_by_their_kind() -> None:
    odd = PollResult((), anomalies=(Anomaly.DUPLICATE_DAY, Anomaly.DUPLICATE_DAY))
    found = told(outcome(odd), outcome(odd))
    assert found["docusage_target_response_anomalies_total acme duplicate_day"] == 4
    assert found["docusage_target_response_anomalies_total acme unknown_field"] == 0


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("burn_per_day", "docusage_allowance_burn_per_day"),
        ("exhaustion", "docusage_allowance_exhaustion_timestamp_seconds"),
        ("end", "docusage_allowance_end_timestamp_seconds"),
    ],
)
def test_what_is_not_known_of_an_allowance_is_absent(field: str, metric: str) -> None:
    unknown = allowance({field: None})
    found = told(outcome(PollResult(POLL_RESULT.samples, (unknown,))))
    assert found.keys() == told(outcome()).keys() - {f"{metric} acme org credits"}


def by_name(metric: MetricFamily) -> str:
    return metric.name


def test_each_metric_is_in_the_catalogue_once() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("metric", METRICS, ids=by_name)
def test_names_and_kinds_agree(metric: MetricFamily) -> None:
    assert re.fullmatch(r"(docusage|affinda|xtracta)(_[a-z0-9]+)+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind == "counter")
    assert metric.name.endswith("_info") is (metric.kind == "info")
    assert ("timestamp" in metric.name) <= metric.name.endswith("_timestamp_seconds")


@pytest.mark.parametrize("metric", METRICS, ids=by_name)
def test_every_help_is_one_sentence_in_one_line(metric: MetricFamily) -> None:
    assert re.fullmatch(r"[A-Z1][^\n\\\"]*\.", metric.help)


@pytest.mark.parametrize("metric", METRICS, ids=by_name)
def test_no_label_is_a_date_and_the_first_is_the_target_s(metric: MetricFamily) -> None:
    assert not {"date", "day", "start", "end"} & set(metric.labels)
    if not re.match("docusage_exporter_", metric.name):
        assert metric.labels[0] == "target"
    if metric.name.startswith("docusage_") and "target" in metric.labels:
        assert metric.labels[1] == "vendor"
