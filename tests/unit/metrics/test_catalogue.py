"""The catalogue, and the samples of a target in each of its states."""

from __future__ import annotations

import re

import pytest
from fake_targets import POLL_RESULT, TIMEOUT, allowance, outcome, target

from exporter.metrics.catalogue import METRICS, target_samples
from exporter.model import (
    Anomaly,
    FailureReason,
    MetricFamily,
    PollOutcome,
    PollResult,
    ScopeFailure,
)
from exporter.state.store import TargetSnapshot, TargetState

TARGET = target(poll={"interval": "1m", "stale_after": "4m"}, alerts={"warning_ratio": 0.3})


def exposed(*outcomes: PollOutcome, is_stale: bool = False) -> dict[str, float]:
    """Every sample of the target after these polls, by its name and its labels' values."""
    state = TargetState()
    for each in outcomes:
        state = state.after(each, 0)
    samples = list(target_samples(TargetSnapshot(TARGET, state, is_stale)))
    found = {" ".join((each.metric.name, *each.labels)): each.value for each in samples}
    assert len(found) == len(samples)
    return found


COUNTERS = {
    "docusage_target_polls_total acme",
    "docusage_target_api_requests_total acme",
    "docusage_target_poll_failures_total acme",
}
CONFIGURED = {
    "docusage_target_interval_seconds acme": 60,
    "docusage_target_stale_after_seconds acme": 240,
}
VALUES = {
    "affinda_credits_daily org": 12,
    "affinda_credits_available org": 300,
    "docusage_allowance_info acme org credits   credits": 1,
    "docusage_allowance_allowed acme org credits": 1000,
    "docusage_allowance_used acme org credits": 700,
    "docusage_allowance_available_ratio acme org credits": 0.3,
    "docusage_allowance_burn_per_day acme org credits": 50,
    "docusage_allowance_exhaustion_timestamp_seconds acme org credits": 1_790_000_000,
    "docusage_allowance_exhaustion_earliest_timestamp_seconds acme org credits": 1_789_000_000,
    "docusage_allowance_exhaustion_latest_timestamp_seconds acme org credits": 1_791_000_000,
    "docusage_allowance_projected_used_ratio acme org credits": 1.25,
    "docusage_allowance_renews acme org credits": 1,
    "docusage_allowance_end_timestamp_seconds acme org credits": 1_800_000_000,
    "docusage_allowance_threshold_ratio acme org credits warning": 0.3,
    "docusage_allowance_threshold_ratio acme org credits critical": 0.05,
}


def test_before_its_first_poll_a_target_has_its_settings_and_counters_at_zero() -> None:
    assert exposed() == CONFIGURED | dict.fromkeys(COUNTERS, 0)


def test_after_a_success_a_target_has_its_values_and_their_times() -> None:
    assert exposed(outcome(at=1000)) == CONFIGURED | VALUES | dict.fromkeys(COUNTERS, 0) | {
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
    "docusage_target_poll_failures_total acme": 1,
    "docusage_target_failing acme timeout": 1,
}


def test_a_failure_adds_its_reason_and_leaves_the_values() -> None:
    found = exposed(outcome(at=1000), outcome(TIMEOUT, at=2000))
    assert found == CONFIGURED | VALUES | dict.fromkeys(COUNTERS, 0) | FAILED


def test_expired_values_disappear_and_the_target_s_own_metrics_stay() -> None:
    found = exposed(outcome(at=1000), outcome(TIMEOUT, at=2000), is_stale=True)
    assert found == CONFIGURED | dict.fromkeys(COUNTERS, 0) | FAILED


def test_a_target_that_never_succeeded_has_no_time_of_success() -> None:
    assert "docusage_target_last_success_timestamp_seconds acme" not in exposed(outcome(TIMEOUT))


def test_the_reason_of_a_failure_disappears_with_the_next_success() -> None:
    found = exposed(outcome(TIMEOUT), outcome())
    assert not [name for name in found if name.startswith("docusage_target_failing")]
    assert found["docusage_target_poll_failures_total acme"] == 1


def test_an_allowance_has_its_display_names_and_unit_as_labels() -> None:
    named = allowance({"account_name": "Acme Inc.", "allowance_name": "Team plan"})
    found = exposed(outcome(PollResult((), (named,))))
    assert found["docusage_allowance_info acme org credits Acme Inc. Team plan credits"] == 1


def test_anomalies_are_counted_by_kind_from_the_first_one_on() -> None:
    result = PollResult((), anomalies=(Anomaly.DUPLICATE_DAY, Anomaly.DUPLICATE_DAY))
    found = exposed(outcome(result), outcome(result))
    assert found["docusage_target_response_anomalies_total acme duplicate_day"] == 4
    assert "docusage_target_response_anomalies_total acme unknown_field" not in found


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("burn_per_day", "docusage_allowance_burn_per_day"),
        ("exhaustion", "docusage_allowance_exhaustion_timestamp_seconds"),
        ("exhaustion_earliest", "docusage_allowance_exhaustion_earliest_timestamp_seconds"),
        ("exhaustion_latest", "docusage_allowance_exhaustion_latest_timestamp_seconds"),
        ("projected_used", "docusage_allowance_projected_used_ratio"),
        ("end", "docusage_allowance_end_timestamp_seconds"),
    ],
)
def test_an_unknown_property_of_an_allowance_is_absent(field: str, metric: str) -> None:
    unknown = allowance({field: None})
    found = exposed(outcome(PollResult(POLL_RESULT.samples, (unknown,))))
    assert found.keys() == exposed(outcome()).keys() - {f"{metric} acme org credits"}


def test_an_allowance_that_is_not_known_to_renew_has_no_series_of_it() -> None:
    found = exposed(outcome(PollResult(POLL_RESULT.samples, (allowance({"renews": False}),))))
    assert exposed(outcome()).keys() - found.keys() == {
        "docusage_allowance_renews acme org credits"
    }


def test_an_allowance_without_a_known_share_has_no_ratio() -> None:
    unlimited = allowance({"allowed": None, "available": None})
    found = exposed(outcome(PollResult(POLL_RESULT.samples, (unlimited,))))
    assert exposed(outcome()).keys() - found.keys() == {
        "docusage_allowance_allowed acme org credits",
        "docusage_allowance_available_ratio acme org credits",
        "docusage_allowance_projected_used_ratio acme org credits",
    }


def test_failing_scopes_are_counted_while_there_are_any() -> None:
    gone = ScopeFailure("group 7", FailureReason.TIMEOUT, "slow", "group_id", "7")
    found = exposed(outcome(PollResult((), scope_failures=(gone, gone._replace(value="8")))))
    assert found["docusage_target_scopes_failing acme"] == 2
    assert found["docusage_target_up acme"] == 1
    assert not [name for name in exposed(outcome()) if "scopes_failing" in name]


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
