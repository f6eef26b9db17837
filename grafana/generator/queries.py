"""PromQL over the exporter's own catalogue: a metric or label that is not in it is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporter.metrics.catalogue import METRICS
from prometheus.generator.promql import FOR_BOARDS

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROCESS: Final = ("process_resident_memory_bytes", "process_cpu_seconds_total")
_EXPOSED: Final = {metric.name: frozenset(metric.labels) for metric in METRICS}
LABELS: Final = {
    **_EXPOSED,
    **{recorded: _EXPOSED[metric] for metric, recorded in FOR_BOARDS.items()},
    **dict.fromkeys(_PROCESS, frozenset[str]()),
    "ALERTS": frozenset(
        {"alertname", "alertstate", "severity", "target", "vendor", "account", "allowance"}
    ),
}
"""The labels of each metric, besides those that a scrape adds."""

ALLOWANCE: Final = ("target", "vendor", "account", "allowance")
NAMES: Final = ("account_name", "allowance_name", "unit")
PLAN: Final = ("target", "group_id", "plan_id")
WEEKS: Final = 4
_DAY: Final = 86400
TOP: Final = 10


def series(name: str, *matchers: str, over: str = "") -> str:
    """The series of a metric that the dashboard's variables choose.

    Args:
        name: of the catalogue.
        matchers: further ones, such as `severity="warning"`.
        over: what follows the braces, such as `[1d] offset -1d`.

    Raises:
        KeyError: for a metric or label that is not in the catalogue.
    """
    _check(name, (matcher.partition("=")[0].rstrip("!") for matcher in matchers))
    chosen = ['job=~"$job"']
    if name != "ALERTS":
        chosen += [
            f'{label}=~"${label}"' for label in ("target", "vendor") if label in LABELS[name]
        ]
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


def allowance(name: str, **options: str) -> str:
    """`docusage_allowance_<name>`, one value for each allowance."""
    return max_by(f"docusage_allowance_{name}", *ALLOWANCE, **options)


def with_names(expression: str, over: str = "") -> str:
    """An allowance's value with the labels `account_name`, `allowance_name` and `unit`.

    Identifiers stand in for names that are unknown.
    """
    info = max_by("docusage_allowance_info", *ALLOWANCE, *NAMES, over=over)
    for name in ("account", "allowance"):
        info = or_identifier(info, f"{name}_name", name)
    return f"({expression}) * on ({', '.join(ALLOWANCE)}) group_left ({', '.join(NAMES)}) {info}"


def with_label(expression: str, label: str, info: str, *keys: str) -> str:
    """With `label` of `info`, a vector of ones; without it where `info` has no such series.

    Args:
        expression: a vector with the labels `keys`.
        label: to add.
        info: a vector with the labels `keys` and `label`.
        keys: that identify a series of `info`.
    """
    on = f"on ({', '.join(keys)})"
    return f"({expression}) * {on} group_left ({label}) {info} or ({expression}) unless {on} {info}"


def or_identifier(expression: str, name: str, identifier: str) -> str:
    """The label `name`, set to the label `identifier` where it is empty."""
    joined = f'label_join({expression}, "{name}", "|", "{name}", "{identifier}")'
    named = f'label_replace({joined}, "{name}", "$1", "{name}", "(.+)[|][^|]*")'
    return f'label_replace({named}, "{name}", "$1", "{name}", "[|](.*)")'


def of_chosen_vendor(expression: str) -> str:
    """Only targets of the vendors that are chosen: a vendor's own metrics do not have the label."""
    return f"({expression} and on (target) {max_by('docusage_target_up', 'target', 'vendor')})"


_PRICED: Final = ("target", "account", "allowance")


def unit_price() -> str:
    """The price of one credit or document of each allowance that has a price."""
    credit = max_by("affinda_credit_price", "target", "organization", "currency")
    prices = [label_set(label_set(credit, "account", "$organization"), "allowance", "credits")]
    for kind, allowed in (("plan", "documents_allowed"), ("pack", "pack_documents_allowed")):
        by = ("target", "group_id", f"{kind}_id")
        price = max_by(f"xtracta_{kind}_price", *by, "currency")
        size = max_by(f"xtracta_{allowed}", *by)
        each = f"{price} / on ({', '.join(by)}) group_left () ({size} > 0)"
        prices.append(
            label_set(label_set(each, "account", "$group_id"), "allowance", f"${kind}_id")
        )
    return f"max by ({', '.join((*_PRICED, 'currency'))}) ({' or '.join(prices)})"


def priced(amount: str) -> str:
    """What an amount of each allowance costs, with the label `currency`."""
    return f"({amount}) * on ({', '.join(_PRICED)}) group_left (currency) {unit_price()}"


def with_currency(expression: str) -> str:
    """An allowance's value with the label `currency`, where the allowance has a price."""
    return with_label(expression, "currency", f"({unit_price()} * 0 + 1)", *_PRICED)


def end_of_day(name: str, *by: str, days: int = 0, matching: str = "") -> str:
    """A metric at the end of the day that begins at each point, or of one so many days later.

    The last second of the day, where a backfill has its sample; otherwise the last value of the
    recording rule, which is read in a fraction of the time that each scrape's sample takes. Without
    the rules, nothing for a day that is not over.

    Args:
        name: of `FOR_BOARDS`.
        by: labels to keep.
        days: how many days later.
        matching: a further matcher.
    """
    then = f"offset {1 - _DAY * (days + 1)}s"
    within = {"over": f"[{_DAY - 1}s] {then}", "of": "last_over_time({})"}
    return (
        f"({max_by(name, *by, matching=matching, over=f' {then}')}"
        f" or {max_by(FOR_BOARDS[name], *by, matching=matching, **within)})"
    )


def or_zero(expression: str) -> str:
    """A count, 0 where it is empty; nothing where no target is there to be counted."""
    return f"{expression} or 0 * count({series('docusage_target_up')})"


def top(expression: str, by: str, ranking: str) -> str:
    """The series with the highest ranking at the end of the dashboard's time.

    Args:
        expression: the series to show.
        by: labels that identify one, separated by commas.
        ranking: an instant vector with these labels, whose selectors end in `@ end()`.
    """
    return f"({expression}) and on ({by}) topk({TOP}, {ranking})"


def others(expression: str, by: str, ranking: str) -> str:
    """The sum of the series that `top` leaves out."""
    return f"sum(({expression}) unless on ({by}) topk({TOP}, {ranking}))"


def label_set(expression: str, label: str, value: str) -> str:
    """`label` set to `value`; `$name` stands for another label's value."""
    if value.startswith("$"):
        return f'label_replace({expression}, "{label}", "$1", "{value[1:]}", "(.+)")'
    return f'label_replace({expression}, "{label}", "{value}", "", "")'


def _check(name: str, labels: Iterable[str]) -> None:
    if unknown := set(labels) - LABELS[name] - {"job", "instance"}:
        raise KeyError(f"{name} has no label {', '.join(sorted(unknown))}")
