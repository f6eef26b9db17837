"""Xtracta's metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporter.vendors.common.metrics import gauge, info

if TYPE_CHECKING:
    from exporter.model import MetricFamily

DOCUMENTS: Final = "documents"
FIGURES: Final = ("allowed", "used", "available")


def _figures(name: str, what: str, field: str, *labels: str) -> dict[str, MetricFamily]:
    """The metrics of what is allowed, used and available; `{}` in `field` is one of these."""
    return {
        figure: gauge(
            f"{name}_{figure}", f"{figure.capitalize()} {what} ({field.format(figure)})", *labels
        )
        for figure in FIGURES
    }


PLAN: Final = _figures(
    "xtracta_documents", "documents of the plan", "plan/{}_documents", "group_id", "plan_id"
)
PACK: Final = _figures(
    "xtracta_pack_documents",
    "documents of a booster pack",
    "pack/{}_documents",
    "group_id",
    "pack_id",
)
RESOURCE: Final = _figures(
    "xtracta_resource",
    "amount, in the plan or pack, of a resource other than documents",
    "plan/{}_RESOURCE",
    "group_id",
    "plan_id",
    "resource",
)
PRICE: Final = gauge(
    "xtracta_plan_price", "Price of the plan (plan/price)", "group_id", "plan_id", "currency"
)
PACK_PRICE: Final = gauge(
    "xtracta_pack_price", "Price of a booster pack (pack/price)", "group_id", "pack_id", "currency"
)
START: Final = gauge(
    "xtracta_plan_start_timestamp_seconds",
    "Start of the plan (plan/start_date)",
    "group_id",
    "plan_id",
)
EXPIRY: Final = gauge(
    "xtracta_plan_expiry_timestamp_seconds",
    "End of the plan (plan/expiry_date)",
    "group_id",
    "plan_id",
)
PLAN_INFO: Final = info(
    "xtracta_plan_info",
    "Name of the plan (plan/plan_name)",
    "group_id",
    "plan_id",
    "plan_name",
)
GROUP_INFO: Final = info(
    "xtracta_group_info",
    "Name and parent of the group (group/list: Name, ParentId)",
    "group_id",
    "group_name",
    "parent_id",
)
METRICS: Final = (
    *PLAN.values(),
    *PACK.values(),
    *RESOURCE.values(),
    PRICE,
    PACK_PRICE,
    START,
    EXPIRY,
    PLAN_INFO,
    GROUP_INFO,
)
