"""Affinda's metrics, and the days of each window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from exporter.days import DAY
from exporter.model import MetricFamily
from exporter.vendors.common.metrics import gauge, info

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

Axis: TypeAlias = Literal["organization", "workspace", "documentType"]
"""What usage is reported of, as in the response's `scope`."""


class AxisNames(NamedTuple):
    """The names of an axis.

    Args:
        label: the label of its identifiers, which is the request's parameter as well.
        listed: the list that gives it names, which is the key of the settings as well.
        text: for people.
    """

    label: str
    listed: str
    text: str


AXES: Final[Mapping[Axis, AxisNames]] = {
    "organization": AxisNames("organization", "organizations", "organization"),
    "workspace": AxisNames("workspace", "workspaces", "workspace"),
    "documentType": AxisNames("document_type", "document_types", "document type"),
}
_WINDOWS: Final = {
    "daily": "so far on the vendor's current day",
    "previous_day": "on the vendor's last complete day",
    "last_7_days": "on the last 7 days, the current one included",
    "last_30_days": "on the last 30 days, the current one included",
    "last_365_days": "on the last 365 days, the current one included",
    "month_to_date": "in the calendar month of the vendor's current day",
    "year_to_date": "in the calendar year of the vendor's current day",
}
_YEARLY: Final = frozenset({"last_365_days", "year_to_date"})  # of the organization alone


def windows(today: date) -> dict[str, tuple[date, date]]:
    """First and last day of each window, by the metric's suffix."""
    yesterday = today - DAY
    return {
        "daily": (today, today),
        "previous_day": (yesterday, yesterday),
        "last_7_days": (today - 6 * DAY, today),
        "last_30_days": (today - 29 * DAY, today),
        "last_365_days": (today - 364 * DAY, today),
        "month_to_date": (today.replace(day=1), today),
        "year_to_date": (today.replace(month=1, day=1), today),
    }


def _own_label(axis: Axis) -> tuple[str, ...]:
    """The label after the organization's."""
    return () if axis == "organization" else (AXES[axis].label,)


def _credit_metrics(axis: Axis) -> dict[str, MetricFamily]:
    """The metrics of one axis, by the window's suffix."""
    own = _own_label(axis)
    prefix = "_".join(("affinda", *own, "credits"))
    return {
        suffix: gauge(
            f"{prefix}_{suffix}",
            f"Credits of the {AXES[axis].text} {when} (sum of items[].count)",
            "organization",
            *own,
        )
        for suffix, when in _WINDOWS.items()
        if axis == "organization" or suffix not in _YEARLY
    }


def _info_metric(axis: Axis) -> MetricFamily:
    label, listed, text = AXES[axis]
    return info(
        f"affinda_{label}_info",
        f"Name of the {text} (name in the list of {listed})",
        "organization",
        *_own_label(axis),
        f"{label}_name",
    )


CREDITS: Final = {axis: _credit_metrics(axis) for axis in AXES}
INFO: Final = {axis: _info_metric(axis) for axis in AXES}
USAGE_DAY: Final = gauge(
    "affinda_usage_day_timestamp_seconds",
    "Midnight UTC at the start of the vendor's current day (end), the day of the daily metrics",
    "organization",
)
ALLOWED: Final = MetricFamily(
    "affinda_credits_allowed",
    "gauge",
    "Credits purchased for the current period, as configured (allowance.credits).",
    ("target", "organization"),
)
USED: Final = gauge(
    "affinda_credits_used",
    "Credits used in the current period (sum of items[].count)",
    "organization",
)
AVAILABLE: Final = gauge(
    "affinda_credits_available",
    "Credits available in the current period, at least 0 (allowance.credits minus items[].count)",
    "organization",
)
ALLOWANCE_NAMES: Final = {
    "month": "monthly credits",
    "quarter": "quarterly credits",
    "year": "yearly credits",
    "prepaid": "prepaid credits",
}
PRICE: Final = MetricFamily(
    "affinda_credit_price",
    "gauge",
    "Price of one credit, as configured (allowance.price_per_credit); never converted.",
    ("target", "organization", "currency"),
)
METRICS: Final = (
    *(metric for metrics in CREDITS.values() for metric in metrics.values()),
    USAGE_DAY,
    *INFO.values(),
    ALLOWED,
    USED,
    AVAILABLE,
    PRICE,
)
