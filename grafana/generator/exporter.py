"""The exporter itself: which targets answer, how fresh the figures are, and why polls fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.boards import Row, dashboard, target_variable, variable
from grafana.generator.panels import (
    BLUE,
    FULL,
    bargauge,
    query,
    stat,
    state_timeline,
    timeseries,
    value_mappings,
)
from grafana.generator.queries import label_set, max_by, series

if TYPE_CHECKING:
    from grafana.generator.panels import Json

_UP: Final = max_by("docusage_target_up", "target")
_STATES: Final = value_mappings(_0=("down", "red"), _1=("up", "green"))
_AT_LEAST_ONE: Final = {"axisSoftMax": 1}
_UP_STEPS: Final = [(None, "red"), (1, "green")]


def board() -> Json:
    """The whole of it."""
    return dashboard(
        "exporter",
        "Which targets answer, how fresh is what the exporter says, and why do polls fail?",
        [
            Row(4, [_targets() | {"w": 16}, _config() | {"w": 4}, _version() | {"w": 4}]),
            Row(8, [_polls(), _age()]),
            Row(8, [_failures(), _durations()]),
            Row(8, [_calls(), _anomalies()]),
            Row(8, [_memory(), _cpu()], collapsed="The process itself"),
        ],
        since="now-7d",
        variables=[
            variable("vendor", "Vendor", 'label_values(docusage_target_up{job=~"$job"}, vendor)'),
            target_variable('vendor=~"$vendor"'),
        ],
    )


def _targets() -> Json:
    return stat(
        "Which targets answer?",
        "Whether the last poll of each target succeeded, in any replica.",
        query(_UP, "{{target}}", instant=True),
        steps=_UP_STEPS,
        colour="background",
        text="value_and_name",
        mappings=_STATES,
        unit="none",
    )


def _config() -> Json:
    return stat(
        "Configuration?",
        "Whether the configuration was good when an exporter last read it; otherwise it runs on"
        " with the one before.",
        query(f"min({series('docusage_exporter_config_last_reload_successful')})", instant=True),
        steps=_UP_STEPS,
        colour="background",
        mappings=value_mappings(_0=("bad", "red"), _1=("good", "green")),
        unit="none",
    )


def _version() -> Json:
    return stat(
        "Version?",
        "Exporters by version.",
        query(
            f"count by (version) ({series('docusage_exporter_build_info')})",
            "{{version}}",
            instant=True,
        ),
        steps=BLUE,
        text="name",
        unit="none",
    )


def _polls() -> Json:
    return state_timeline(
        "When did polls fail?",
        "A lane for each target: red while its last poll had failed.",
        query(_UP, "{{target}}"),
        steps=_UP_STEPS,
        mappings=_STATES,
        unit="none",
    )


def _age() -> Json:
    age = f"time() - {max_by('docusage_target_last_success_timestamp_seconds', 'target')}"
    stale = max_by("docusage_target_stale_after_seconds", "target")
    return bargauge(
        "How old are the figures, against the age at which they are withdrawn?",
        "Time since the last successful poll as a part of stale_after; at 100 % the figures of a"
        " target are withdrawn. A target that never succeeded is not here.",
        query(f"sort_desc(({age}) / ({stale}))", "{{target}}", instant=True),
        steps=FULL,
        unit="percentunit",
        decimals=0,
        min=0,
        max=1,
    )


def _failures() -> Json:
    failing = series("docusage_target_failing")
    return timeseries(
        "Why did polls fail?",
        "Targets whose last poll failed, with the reason; the runbook says what to do about each"
        " reason.",
        query(
            f"max by (target, reason) ({failing}) or {_none('reason')}",
            "{{target}} {{reason}}",
            step="1h",
        ),
        stacked=True,
        unit="none",
        decimals=0,
        min=0,
        custom=_AT_LEAST_ONE,
    )


def _durations() -> Json:
    return timeseries(
        "How long do polls take?",
        "The last poll of each target, waiting for limits included; a poll with many scopes makes"
        " many requests.",
        query(max_by("docusage_target_last_poll_duration_seconds", "target"), "{{target}}"),
        unit="s",
        min=0,
    )


def _calls() -> Json:
    calls = series("docusage_target_api_requests_total", over="[$__rate_interval]")
    return timeseries(
        "How many calls do the vendors get?",
        "Requests per minute, retries and every replica included: what counts against a quota.",
        query(f"sum by (target) (rate({calls})) * 60", "{{target}}"),
        unit="reqpm",
        min=0,
    )


def _anomalies() -> Json:
    anomalies = series("docusage_target_response_anomalies_total", over="[$__interval]")
    return timeseries(
        "Which replies were odd?",
        "Replies that were accepted all the same, by target and kind.",
        query(
            f"sum by (target, kind) (increase({anomalies})) > 0 or {_none('kind')}",
            "{{target}} {{kind}}",
            step="1h",
        ),
        stacked=True,
        unit="none",
        decimals=0,
        min=0,
        custom=_AT_LEAST_ONE,
    )


def _none(label: str) -> str:
    """A line at 0, so that a panel without bars says so instead of being empty."""
    return label_set("vector(0)", label, "none")


def _memory() -> Json:
    return timeseries(
        "How much memory does it take?",
        "Resident memory of each exporter.",
        query(
            f"{series('process_resident_memory_bytes')} and on (job, instance)"
            f" {series('docusage_exporter_build_info')}",
            "{{instance}}",
        ),
        unit="bytes",
        min=0,
    )


def _cpu() -> Json:
    seconds = series("process_cpu_seconds_total", over="[$__rate_interval]")
    return timeseries(
        "How much CPU does it take?",
        "Seconds of CPU per second of each exporter: 100 % is one core.",
        query(
            f"rate({seconds}) and on (job, instance) {series('docusage_exporter_build_info')}",
            "{{instance}}",
        ),
        unit="percentunit",
        min=0,
    )
