"""PromQL over the exporter's own catalogue: a metric or label that is not there is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporter.metrics.catalogue import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROCESS: Final = ("process_resident_memory_bytes", "process_cpu_seconds_total")
_TARGET: Final = frozenset({"target", "vendor"})
_OF_ALLOWANCE: Final = _TARGET | {"account", "allowance"}
_PLANNED: Final = {
    "docusage_target_scopes_failing": _TARGET,
    **dict.fromkeys(
        (
            "docusage_allowance_projected_used_ratio",
            "docusage_allowance_exhaustion_earliest_timestamp_seconds",
            "docusage_allowance_exhaustion_latest_timestamp_seconds",
            "docusage_allowance_renews",
        ),
        _OF_ALLOWANCE,
    ),
}
"""Metrics that rules and dashboards use where they exist."""

LABELS: Final = {
    **_PLANNED,
    **{metric.name: frozenset(metric.labels) for metric in METRICS},
    **dict.fromkeys(_PROCESS, frozenset[str]()),
}
"""The labels of each metric, beside those that a scrape adds."""

ALLOWANCE: Final = ("target", "vendor", "account", "allowance")
PLAN: Final = ("target", "group_id", "plan_id")
WEEKS: Final = 4


def series(name: str, *matchers: str, over: str = "") -> str:
    """The series of a metric that the dashboard's variables choose.

    Args:
        name: of the catalogue.
        matchers: further ones, such as `severity="warning"`.
        over: what follows the braces, such as `[1d] offset -1d`.

    Raises:
        KeyError: for a metric that the exporter does not have, or a label that it has not.
    """
    _check(name, (matcher.partition("=")[0].rstrip("!") for matcher in matchers))
    chosen = ['job=~"$job"', *(['target=~"$target"'] if "target" in LABELS[name] else [])]
    return f"{name}{{{', '.join([*chosen, *matchers])}}}{over}"


def max_by(name: str, *by: str, matching: str = "", over: str = "", of: str = "{}") -> str:
    """One value of a metric for each combination of labels, so that replicas double nothing.

    Args:
        name: of the catalogue.
        by: labels to keep.
        matching: a further matcher.
        over: as `series` takes it.
        of: what to make of the series first, with `{}` in their place.
    """
    _check(name, by)
    chosen = series(name, *filter(None, [matching]), over=over)
    return f"max by ({', '.join(by)}) ({of.format(chosen)})"


def label_set(expression: str, label: str, value: str) -> str:
    """`label` set to `value`; `$name` stands for another label's value."""
    if value.startswith("$"):
        return f'label_replace({expression}, "{label}", "$1", "{value[1:]}", "(.+)")'
    return f'label_replace({expression}, "{label}", "{value}", "", "")'


def _check(name: str, labels: Iterable[str]) -> None:
    if unknown := set(labels) - LABELS[name] - {"job", "instance"}:
        raise KeyError(f"{name} has no label {', '.join(sorted(unknown))}")
