"""Panels that several dashboards have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.generator.panels import BAD_FROM_ONE, link, query, stat, table, text
from grafana.generator.queries import (
    ALLOWANCE,
    allowance,
    max_by,
    or_zero,
    series,
    with_names,
)

if TYPE_CHECKING:
    from grafana.generator.panels import Json

RUNBOOK: Final = "https://github.com/docusage/docusage-exporter/blob/main/prometheus/RUNBOOK.md"
OVERVIEW_OF_TARGET: Final = link("Allowances of this target", "docusage-overview", target="target")
POLLS_OF_TARGET: Final = link("Polls of this target", "docusage-exporter", target="target")
NO_DATA: Final = "no data: is the exporter up?"


def exporters_up() -> Json:
    """Running exporters; red where there is none."""
    return stat(
        "Exporters up",
        "Exporters that Prometheus scrapes successfully.",
        query(f"count({series('docusage_exporter_build_info')}) or vector(0)", instant=True),
        steps=[(None, "red"), (1, "green")],
        colour="background",
        unit="none",
        noValue="none",
    )


def targets_down() -> Json:
    """Targets whose last poll failed."""
    down = f"count({max_by('docusage_target_up', 'target')} == 0)"
    return stat(
        "Failing",
        "Targets whose last poll failed in every replica.",
        query(or_zero(down), instant=True),
        steps=BAD_FROM_ONE,
        colour="background",
        unit="none",
        noValue=NO_DATA,
    )


def alerts_table() -> Json:
    """What fires, if the rules are loaded."""
    runbook = {"title": "Runbook", "url": f"{RUNBOOK}#${{__value.raw}}", "targetBlank": True}
    by = "alertname, severity, target, account_name, allowance_name"
    firing = series("ALERTS", 'alertname=~"Docusage.+"', 'alertstate="firing"')
    named = with_names(firing)
    unnamed = f"{firing} unless on ({', '.join(ALLOWANCE)}) {allowance('info')}"
    return table(
        "Firing alerts",
        "Alerts of this exporter's rules; a name links to its section of the runbook.",
        query(f"max by ({by}) ({named} or {unnamed})", table=True),
        columns={
            "severity": {"name": "Severity", "custom__width": 80},
            "alertname": {"name": "Alert", "links": [runbook], "custom__minWidth": 210},
            "target": {"name": "Target", "links": [OVERVIEW_OF_TARGET]},
            "account_name": {"name": "Account"},
            "allowance_name": {"name": "Allowance"},
        },
        sort="Severity",
        unit="string",
        noValue="Nothing fires, or the alert rules are not loaded here.",
    )


def failing_targets() -> Json:
    """Targets that are down, with the reason."""
    failing = max_by("docusage_target_failing", "target", "vendor", "reason")
    success = max_by("docusage_target_last_success_timestamp_seconds", "target", "vendor")
    since = f"{success} * 1000 * on (target, vendor) group_left (reason) {failing}"
    return table(
        "Failing targets",
        "Targets whose last poll failed, why, and when one last succeeded.",
        query(f"max by (target, vendor, reason) ({since})", table=True),
        query(failing, table=True),
        columns={
            "target": {"name": "Target", "links": [POLLS_OF_TARGET]},
            "reason": {"name": "Reason"},
            "Value #A": {
                "name": "Last success",
                "unit": "time:YYYY-MM-DD HH:mm",
                "custom__width": 150,
            },
        },
        sort="Target",
        unit="string",
        noValue="No target fails, or no exporter is up.",
    )


def how_to_read(content: str) -> Json:
    """The explanation at the end of a dashboard."""
    return text("How to read this", content)
