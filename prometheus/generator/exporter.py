"""Whether the figures can be trusted: targets, configuration, and the exporters themselves."""

from __future__ import annotations

from typing import Final

from prometheus.generator.promql import BUILD_LABELS, DAY, SEEN, TARGET, merged, target_last
from prometheus.generator.rules import Alert, Group, Record
from prometheus.generator.text import Figure, Sentence, Text

COUNT: Final = "job:docusage_exporters:count"
_EXPECTED: Final = "job:docusage_exporters:expected"
_UP: Final = "target:docusage_target_up:last"
_REJECTED: Final = "target:docusage_target_credentials_rejected:last"
_SUCCESS: Final = "target:docusage_target_last_success_timestamp_seconds:last"
_STALE_AFTER: Final = "target:docusage_target_stale_after_seconds:last"
_SHARDS: Final = merged("docusage_exporter_shards")
_KNOWN: Final = "last_over_time(exporter:up:last[1d])"
VISIBLE: Final = (
    f"group without ({', '.join((*TARGET, *BUILD_LABELS))})"
    " (docusage_target_up or docusage_exporter_build_info)"
)
VISIBLE_COUNT: Final = merged(VISIBLE, by="count")
_OF_TARGET: Final = f"ignoring ({', '.join(TARGET)})"
_STALE: Final = f"time() - {_SUCCESS} > {_STALE_AFTER}"
_MISSING: Final = f"time() - {SEEN} > 600"
_DOWN_EXPORTERS: Final = f"""\
{merged(f"up == 0 and {_KNOWN}", by="count")}
or
last_over_time({COUNT}[30d]) unless {COUNT}"""
_REJECTED_TARGETS: Final = f"{_UP} == 0 and {_REJECTED}"
_MANY_DOWN: Final = f"""\
(
  count without (target) ({_UP} == 0) >= 5
)
and
  count without (target) ({_UP} == 0) > 0.5 * count without (target) ({_UP})"""

_REASON: Final = Figure("docusage_target_failing{$series}")
_SINCE: Final = Figure(f"time() - {_SUCCESS}{{$series}}", "duration")
_EXPORTER: Final = "docusage-exporter"
_ANOMALIES: Final = "target:docusage_target_response_anomalies:last"


def _in_force(figures: str) -> Sentence:
    return Sentence(f"The last successful poll was <since> ago; {figures}.")


RECORDS: Final = (
    Record(
        record="exporter:up:last",
        comment="`up` of every exporter, known by the metrics it had.",
        expr=f"up and ({VISIBLE} or {_KNOWN})",
    ),
    Record(
        record=COUNT,
        comment="Running exporters.",
        expr=merged(f"{VISIBLE} or up == 1 and {_KNOWN}", by="count"),
    ),
    Record(
        record=_EXPECTED,
        comment="""
            How many exporters run for most of a day. While fewer run, the number does not fall, so
            that a missing shard stays missing however long that lasts.
        """,
        expr=f"""\
floor(quantile_over_time(0.9, {COUNT}[1d]))
>= (
  last_over_time({_EXPECTED}[2h]) unless {COUNT} >= last_over_time({_EXPECTED}[2h])
)
or
last_over_time({_EXPECTED}[2h]) unless {COUNT} >= last_over_time({_EXPECTED}[2h])
  and last_over_time({COUNT}[30d])
or
floor(quantile_over_time(0.9, {COUNT}[1d]))""",
    ),
    Record(
        record=SEEN,
        comment="""
            When a running exporter last had each target. Remembered for 30 days while exporters are
            missing, since one of those may have it; otherwise a target that no exporter has was
            removed from the configuration.
        """,
        expr=f"""\
0 * {merged("docusage_target_up or docusage_target_interval_seconds")} + time()
or
last_over_time({SEEN}[2h]) > time() - {30 * DAY}
  and {_OF_TARGET} ({_EXPECTED} > ({COUNT} or 0 * {_EXPECTED}))""",
    ),
    *(
        Record(
            record=f"target:{metric}:last",
            comment="The value, or the last one while the target or its exporter has none.",
            expr=target_last(metric),
        )
        for metric in (
            "docusage_target_up",
            "docusage_target_last_success_timestamp_seconds",
            "docusage_target_stale_after_seconds",
        )
    ),
    Record(
        record=_ANOMALIES,
        comment="How many anomalies of each kind, in the replica with the most.",
        expr=merged("docusage_target_response_anomalies_total"),
    ),
    Record(
        record=_REJECTED,
        comment="Targets whose last poll failed because of their key.",
        expr=f"""\
{merged('docusage_target_failing{reason=~"auth|secret"}', "reason")}
or
last_over_time({_REJECTED}[2h])
  and {SEEN}
  unless {merged("docusage_target_failing", "reason")}
  unless {merged("docusage_target_up")} == 1""",
    ),
)

ALERTS: Final = (
    Alert(
        alert="DocusageTargetDown",
        expr=f"{_UP} == 0 unless {_REJECTED}",
        duration="15m",
        severity="warning",
        summary="A target cannot be polled.",
        text=Text(
            Sentence(
                "Polls of target {{ $labels.target }} ({{ $labels.vendor }}) fail:"
                " <reason.reason>.",
                otherwise="Polls of target {{ $labels.target }} ({{ $labels.vendor }}) fail.",
            ),
            _in_force("its figures stay in force until they are stale"),
            "The runbook lists the remedy for each reason.",
            figures={"reason": _REASON, "since": _SINCE},
        ),
        board=_EXPORTER,
        panel="Targets",
    ),
    *(
        Alert(
            alert="DocusageCredentialsRejected",
            expr=_REJECTED_TARGETS + condition,
            duration="5m",
            severity=severity,
            summary="A target's API key is rejected or cannot be read.",
            text=Text(
                "{{ $labels.vendor }} rejects the API key of target {{ $labels.target }}, or the"
                " exporter cannot read it.",
                _in_force(figures),
                "Put a valid key where the configuration refers to; the exporter tries a changed"
                " key file within seconds.",
                figures={"since": _SINCE},
            ),
            board=_EXPORTER,
            panel="Targets",
        )
        for severity, condition, figures in (
            ("warning", "", "its figures stay in force until they are stale"),
            ("critical", f" and {_STALE}", "its figures are stale and no longer exposed"),
        )
    ),
    Alert(
        alert="DocusageDataStale",
        comment="""
            Not for rejected keys and missing exporters, which have critical alerts of their own.
        """,
        expr=f"""\
{_STALE}
unless ({_REJECTED_TARGETS})
unless {_MISSING}""",
        duration="5m",
        severity="critical",
        summary="A target's figures are too old to be exposed.",
        text=Text(
            Sentence(
                "The last successful poll of target {{ $labels.target }} ({{ $labels.vendor }}) was"
                " <value> ago. Its figures are no longer exposed, and its allowance alerts use the"
                " last ones.",
                value="duration",
            ),
            Sentence("Polls fail: <reason.reason>."),
            "Look at the vendor's own console until polls succeed again.",
            figures={"reason": _REASON},
        ),
        board=_EXPORTER,
        panel="Targets",
    ),
    Alert(
        alert="DocusageScopesFailing",
        comment="In every replica.",
        expr=f"{merged('docusage_target_scopes_failing', by='min')} > 0",
        duration="1h",
        severity="warning",
        summary="Part of a target cannot be read.",
        text=Text(
            Sentence(
                "<value> workspaces, document types or groups of target {{ $labels.target }}"
                " ({{ $labels.vendor }}) cannot be read; the rest of the target is up to date. The"
                " exporter's status page names them."
            ),
        ),
        board=_EXPORTER,
        panel="Targets",
    ),
    *(
        Alert(
            alert="DocusageManyTargetsDown",
            comment="One alert in place of one for each target; see alertmanager.yml.",
            expr=expr,
            duration="10m",
            severity=severity,
            summary="Most targets of a vendor cannot be polled.",
            text=Text(
                Sentence(
                    "Polls of <value> targets ({{ $labels.vendor }}) fail in job {{ $labels.job }},"
                    f" more than half of all. {figures} Look for one cause: the network, a proxy,"
                    " DNS, the vendor."
                ),
                of_target=False,
            ),
            board=_EXPORTER,
            panel="Targets",
        )
        for severity, expr, figures in (
            ("warning", _MANY_DOWN, "Their figures stay in force until they are stale."),
            (
                "critical",
                f"{_MANY_DOWN}\nand\n  count without (target) ({_STALE}) >= 5",
                "Figures are stale and no longer exposed.",
            ),
        )
    ),
    *(
        Alert(
            alert="DocusageTargetsMissing",
            comment="""
                Targets of a shard that is gone. If no exporter is left, DocusageExporterDown fires.
            """,
            expr=f"""\
count without ({", ".join(TARGET)}) ({expr})
and
{COUNT}""",
            duration="5m",
            severity=severity,
            summary="No running exporter has these targets.",
            text=Text(
                Sentence(
                    "<value> targets of job {{ $labels.job }} are polled by no exporter: fewer"
                    f" exporters run than usual. {figures} Start the missing exporter (shard)."
                ),
                of_target=False,
            ),
            board=_EXPORTER,
            panel="Targets",
        )
        for severity, expr, figures in (
            ("warning", _MISSING, "Allowance alerts use their last figures."),
            ("critical", f"{_MISSING} and {_STALE}", "Their last figures are stale."),
        )
    ),
    Alert(
        alert="DocusageShardMissing",
        comment="""
            Each exporter reports how many share the targets, so that a shard that never started is
            missing as well: no exporter has had its targets.
        """,
        expr=f"""\
max without (shard) ({_SHARDS})
- count without (shard) ({_SHARDS})
> 0""",
        duration="10m",
        severity="warning",
        summary="A shard of the exporter does not run.",
        text=Text(
            Sentence(
                "<value> of the exporters that share the targets of job {{ $labels.job }} do not"
                " run. Nobody polls their targets: start them, or set the right number of shards."
            ),
            of_target=False,
        ),
        board=_EXPORTER,
        panel="Exporters up",
    ),
    *(
        Alert(
            alert="DocusageExporterDown",
            comment="""
                An exporter that cannot be scraped, or a job without any exporter, whether
                Prometheus still knows an address of it or not.
            """,
            expr=expr,
            duration="5m",
            severity=severity,
            summary="An exporter cannot be scraped.",
            text=Text(
                Sentence(
                    "Prometheus cannot scrape <value> of the exporters of job {{ $labels.job }}."
                    f" {figures} Start it; no usage is lost."
                ),
                of_target=False,
            ),
            board=_EXPORTER,
            panel="Exporters up",
        )
        for severity, expr, figures in (
            ("warning", _DOWN_EXPORTERS, "Allowance alerts use the last figures."),
            (
                "critical",
                f"""\
(
  {merged(f"up == 0 and {_KNOWN}", by="count")}
  or
  last_over_time({COUNT}[30d]) unless {COUNT}
)
and
  count without ({", ".join(TARGET)}) ({_MISSING} and {_STALE})""",
                "The last figures are stale.",
            ),
        )
    ),
    Alert(
        alert="DocusageConfigReloadFailed",
        expr=f"{merged('docusage_exporter_config_last_reload_successful', by='min')} == 0",
        duration="5m",
        severity="warning",
        summary="The exporter rejected its new configuration.",
        text=Text(
            "An exporter of job {{ $labels.job }} could not load its configuration and keeps the"
            " previous one. It would not start with the new one: run docusage-exporter check.",
            of_target=False,
        ),
        board=_EXPORTER,
        panel="Configuration",
    ),
    Alert(
        alert="DocusageResponseAnomalies",
        comment="""
            An unknown field is in every response: it fires on its first day. Other kinds fire for a
            day after each one.
        """,
        expr=f"""\
{_ANOMALIES}{{kind="unknown_field"}} > 0
unless {_ANOMALIES} offset 1d > 0
unless {_ANOMALIES} offset 2d > 0
unless {_ANOMALIES} offset 1w > 0
or
{_ANOMALIES}{{kind!="unknown_field"}} > ({_ANOMALIES} offset 1d or 0 * {_ANOMALIES})""",
        severity="info",
        summary="A vendor's responses contain something unexpected.",
        text=Text(
            "Responses to target {{ $labels.target }} ({{ $labels.vendor }}) were accepted with an"
            " anomaly: {{ $labels.kind }}. The runbook says what it costs.",
        ),
        board=_EXPORTER,
        panel="Response anomalies",
    ),
)

GROUP: Final = Group(
    name="docusage-exporter",
    interval="1m",
    comment=(__doc__ or ""),
    rules=(*RECORDS, *ALERTS),
)
