"""The PromQL that the rules share.

A rule drops the labels that name one exporter process and keeps all others, so that `cluster`,
`namespace`, or a label of your own separate what they separate, through every join.
"""

from __future__ import annotations

from typing import Final

EXPORTER_LABELS: Final = (
    *("instance", "pod", "node", "container", "endpoint", "service", "host", "hostname"),
    *("pod_name", "kubernetes_pod_name", "statefulset_kubernetes_io_pod_name"),
    *("apps_kubernetes_io_pod_index", "controller_revision_hash", "pod_template_hash"),
    *("app_kubernetes_io_version", "helm_sh_chart", "replica", "prometheus_replica"),
)
"""Labels of the process or of its scrape; they change when an exporter moves or is replaced."""

BUILD_LABELS: Final = ("version", "revision", "pythonversion")
TARGET: Final = ("target", "vendor")
ALLOWANCE: Final = ("account", "allowance")
DAY: Final = 86400
SEEN: Final = "target:docusage_target_seen_timestamp_seconds:last"
"""When a running exporter last had a target, remembered while exporters are missing."""

FOR_BOARDS: Final = {
    "docusage_allowance_used": "allowance:docusage_allowance_used:last",
    "xtracta_documents_used": "plan:xtracta_documents_used:max",
    **{
        metric: f"{axis}:{metric}:max"
        for axis, prefix in (
            ("organization", "affinda_credits"),
            ("workspace", "affinda_workspace_credits"),
            ("document_type", "affinda_document_type_credits"),
        )
        for metric in (f"{prefix}_daily", f"{prefix}_previous_day")
    },
}
"""The recorded series that dashboards read in place of many samples of a metric."""


def merged(expression: str, *more: str, by: str = "max") -> str:
    """One series of all replicas of an exporter, without the labels in `more` either."""
    return f"{by} without ({', '.join((*EXPORTER_LABELS, *more))}) ({expression})"


def target_last(metric: str) -> str:
    """A target's value; without one, the last value, for as long as the target is known.

    Args:
        metric: of the catalogue, with the labels `target` and `vendor` alone.
    """
    return f"""\
{merged(metric)}
or
last_over_time(target:{metric}:last[2h]) and {SEEN}"""


def allowance_last(metric: str, *more: str) -> str:
    """An allowance's value; without one, the last value, until its target is `CURRENT` again.

    Args:
        metric: of the catalogue, with the labels of an allowance.
        more: further labels of the metric.
    """
    return f"""\
{merged(metric)}
or
last_over_time(allowance:{metric}:last[2h])
  unless ignoring ({", ".join((*ALLOWANCE, *more))}) last_over_time({CURRENT}[6m])"""


HEALTHY: Final = merged("docusage_target_up unless docusage_target_scopes_failing > 0") + " == 1"
"""Targets of which a running exporter read everything in its last poll."""

CURRENT: Final = "target:docusage_target_current"
"""Targets of which an exporter reports every allowance there is."""

CURRENT_EXPR: Final = f"""\
{HEALTHY}
or
{merged("last_over_time(docusage_target_up[3h]) and ignoring (target, vendor) up == 1")}
  unless {merged("docusage_target_up or docusage_target_interval_seconds")}
or
last_over_time({SEEN}[1d]) unless last_over_time({SEEN}[2h])"""
"""Targets that answer, and those that were removed from the configuration.

A target was removed if the exporter that had it runs without it, or if no exporter has it although
as many run as ever, so that it is no longer remembered.
"""


def last(name: str, modifier: str = "") -> str:
    """What `allowance_last` recorded for `docusage_allowance_<name>`, in this evaluation or before.

    The range makes rules independent of whether the series of this evaluation can be read already.
    """
    return f"last_over_time(allowance:docusage_allowance_{name}:last[15m]{modifier})"
