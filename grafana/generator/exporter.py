"""The exporter itself: which targets answer, how fresh the figures are, and why polls fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import VENDOR, Row, dashboard, target_variable
from grafana.generator.common import (
    NO_DATA,
    OVERVIEW_OF_TARGET,
    alerts_table,
    exporters_up,
    how_to_read,
    targets_down,
)
from grafana.generator.panels import (
    BLUE,
    FULL,
    bargauge,
    query,
    stat,
    state_timeline,
    table,
    thresholds,
    timeseries,
    value_mappings,
)
from grafana.generator.queries import TOP, max_by, others, series, top, with_label

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_KEYS: Final = ("target", "vendor")
_UP: Final = max_by("docusage_target_up", *_KEYS)
_SUCCESS: Final = max_by("docusage_target_last_success_timestamp_seconds", *_KEYS)
_STALE_AFTER: Final = max_by("docusage_target_stale_after_seconds", *_KEYS)
_STATES: Final = value_mappings(_0=("down", "red"), _1=("up", "green"))
_AT_LEAST_ONE: Final = {"axisSoftMax": 1}
_UP_STEPS: Final = [(None, "text"), (0, "red"), (1, "green")]
_HOW_TO_READ: Final = """\
- **Age**: time since the last successful poll as a share of `stale_after`. At 100 % a target's
  figures expire and are no longer exposed.
- **Poll results** shows only targets whose polls failed at some time of the chosen range.
- A target is up if any replica of the exporter could poll it.
- The [runbook](https://github.com/docusage/docusage-exporter/blob/main/prometheus/RUNBOOK.md)
  has the remedy for each reason and for each alert."""


def board() -> Json:
    """The whole dashboard."""
    return dashboard(
        "exporter",
        "Which targets answer, how fresh are the figures, and why do polls fail?",
        [
            Row(4, _tiles()),
            Row(10, [_targets()]),
            Row(8, [alerts_table() | {"w": 12}, _polls() | {"w": 12}]),
            Row(9, [_age(), _durations()]),
            Row(9, [_calls(), _anomalies()]),
            Row(8, [_memory(), _cpu()], collapsed="The process itself"),
            Row(7, [how_to_read(_HOW_TO_READ)], collapsed="How to read this"),
        ],
        since="now-7d",
        variables=[VENDOR, target_variable('vendor=~"$vendor"')],
    )


def _tiles() -> list[Json]:
    tiles = [exporters_up(), targets_down(), _oldest(), _config()]
    return [*(tile | {"w": 5} for tile in tiles), _version() | {"w": 4}]


def _oldest() -> Json:
    return stat(
        "Oldest figures",
        "The highest age of a target's figures as a share of its stale_after.",
        query(f"max((time() - {_SUCCESS}) / {_STALE_AFTER})", instant=True),
        steps=FULL,
        colour="background",
        unit="percentunit",
        decimals=0,
        noValue=NO_DATA,
    )


def _config() -> Json:
    return stat(
        "Configuration",
        "Whether the configuration was valid when an exporter last read it; otherwise it runs on"
        " with the previous one.",
        query(f"min({series('docusage_exporter_config_last_reload_successful')})", instant=True),
        steps=_UP_STEPS,
        colour="background",
        mappings=value_mappings(_0=("invalid", "red"), _1=("valid", "green")),
        unit="none",
        noValue=NO_DATA,
    )


def _version() -> Json:
    return stat(
        "Version",
        "Exporters by version.",
        query(
            f"count by (version) ({series('docusage_exporter_build_info')})",
            "{{version}}",
            instant=True,
        ),
        steps=BLUE,
        text="name",
        unit="none",
        noValue="none",
    )


def _targets() -> Json:
    reason = max_by("docusage_target_failing", *_KEYS, "reason")

    def with_reason(expression: str) -> str:
        labelled = with_label(expression, "reason", reason, *_KEYS)
        return f"max by ({', '.join(_KEYS)}, reason) ({labelled})"

    expressions = [
        _UP,
        f"{_SUCCESS} * 1000",
        f"(time() - {_SUCCESS}) / {_STALE_AFTER}",
        max_by("docusage_target_next_poll_timestamp_seconds", *_KEYS) + " * 1000",
        max_by("docusage_target_last_poll_duration_seconds", *_KEYS),
    ]
    moment = {"unit": "time:YYYY-MM-DD HH:mm", "custom__width": 150}
    return table(
        "Targets",
        "Every target; those that are down are at the top. A target links to its allowances.",
        *(query(with_reason(expression), table=True) for expression in expressions),
        columns={
            "target": {"name": "Target", "links": [OVERVIEW_OF_TARGET]},
            "vendor": {"name": "Vendor", "custom__width": 85},
            "Value #A": {
                "name": "State",
                "mappings": _STATES,
                "custom__cellOptions": {"type": "color-text"},
                "custom__width": 75,
            },
            "reason": {"name": "Reason"},
            "Value #B": {"name": "Last success", **moment},
            "Value #C": {
                "name": "Age",
                "unit": "percentunit",
                "decimals": 0,
                "thresholds": thresholds(FULL),
                "custom__cellOptions": {"type": "color-text"},
                "custom__width": 75,
            },
            "Value #D": {"name": "Next poll", **moment},
            "Value #E": {"name": "Duration", "unit": "s", "decimals": 1, "custom__width": 90},
        },
        sort="State",
        unit="none",
        noValue="No target: no exporter is up, or none is configured.",
    )


def _polls() -> Json:
    share = f"avg_over_time({series('docusage_target_up', over='[$__range] @ end()')})"
    failed = f"bottomk({TOP}, avg by (target) ({share}) < 1)"
    return state_timeline(
        "Poll results",
        "The ten targets whose polls failed most in the chosen time: red while the last poll had"
        " failed.",
        query(f"{_UP} and on (target) {failed}", "{{target}}"),
        steps=_UP_STEPS,
        mappings=_STATES,
        unit="none",
        noValue="No poll failed in this time.",
    )


def _age() -> Json:
    return bargauge(
        "Age of figures",
        "Time since the last successful poll as a share of stale_after, the ten highest; at 100 %"
        " the figures of a target expire. A target that never succeeded is not here.",
        query(
            f"sort_desc(topk({TOP}, (time() - {_SUCCESS}) / {_STALE_AFTER}))",
            "{{target}}",
            instant=True,
        ),
        steps=FULL,
        unit="percentunit",
        decimals=0,
        min=0,
        max=1,
        noValue=NO_DATA,
    )


def _durations() -> Json:
    metric = "docusage_target_last_poll_duration_seconds"
    ranking = max_by(metric, "target", over=" @ end()")
    return timeseries(
        "Poll duration",
        "The last poll of the ten slowest targets, including the wait for rate limits; a poll with"
        " many scopes makes many requests.",
        query(top(max_by(metric, "target"), "target", ranking), "{{target}}"),
        unit="s",
        min=0,
        noValue=NO_DATA,
    )


def _calls() -> Json:
    calls = series("docusage_target_api_requests_total", over="[$__rate_interval]")
    last = series("docusage_target_api_requests_total", over="[1d] @ end()")
    rate = f"sum by (target) (rate({calls})) * 60"
    ranking = f"sum by (target) (increase({last}))"
    return timeseries(
        "API requests",
        "Requests per minute, including retries and every replica: what counts against a quota. The"
        " ten targets with most in the last day, and all others.",
        query(top(rate, "target", ranking), "{{target}}"),
        query(others(rate, "target", ranking), "others"),
        unit="reqpm",
        min=0,
        noValue=NO_DATA,
    )


def _anomalies() -> Json:
    anomalies = series("docusage_target_response_anomalies_total", over="[$__interval]")
    return timeseries(
        "Response anomalies",
        "Responses that were accepted with an anomaly, by target and kind.",
        query(
            f"sum by (target, kind) (increase({anomalies})) > 0",
            "{{target}} {{kind}}",
            step="1h",
        ),
        stacked=True,
        unit="none",
        decimals=0,
        min=0,
        custom=_AT_LEAST_ONE,
        noValue="No anomaly in this time.",
    )


def _memory() -> Json:
    return timeseries(
        "Memory",
        "Resident memory of each exporter.",
        query(
            f"{series('process_resident_memory_bytes')} and on (job, instance)"
            f" {series('docusage_exporter_build_info')}",
            "{{instance}}",
        ),
        unit="bytes",
        min=0,
        noValue=NO_DATA,
    )


def _cpu() -> Json:
    seconds = series("process_cpu_seconds_total", over="[$__rate_interval]")
    return timeseries(
        "CPU",
        "Seconds of CPU per second of each exporter: 100 % is one core.",
        query(
            f"rate({seconds}) and on (job, instance) {series('docusage_exporter_build_info')}",
            "{{instance}}",
        ),
        unit="percentunit",
        min=0,
        noValue=NO_DATA,
    )
