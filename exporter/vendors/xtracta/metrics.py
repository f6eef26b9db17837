"""Xtracta's metrics."""

from __future__ import annotations

from typing import Final

from exporter.vendors.common.metrics import gauge, info

DOCUMENTS: Final = "documents"
FIGURES: Final = ("allowed", "used", "available")
_HELP: Final = {
    "allowed": "Document allowance",
    "used": "Used documents",
    "available": "Available documents",
}
_RESOURCE_HELP: Final = {
    "allowed": "Allowance of a resource other than documents",
    "used": "Used amount of a resource other than documents",
    "available": "Available amount of a resource other than documents",
}
PLAN: Final = {
    figure: gauge(
        f"xtracta_documents_{figure}",
        f"{_HELP[figure]} of the plan (plan/{figure}_documents)",
        "group_id",
        "plan_id",
    )
    for figure in FIGURES
}
PACK: Final = {
    figure: gauge(
        f"xtracta_pack_documents_{figure}",
        f"{_HELP[figure]} of a booster pack (pack/{figure}_documents)",
        "group_id",
        "pack_id",
    )
    for figure in FIGURES
}
RESOURCE: Final = {
    figure: gauge(
        f"xtracta_resource_{figure}",
        f"{_RESOURCE_HELP[figure]} of the plan or pack (plan/{figure}_RESOURCE)",
        "group_id",
        "plan_id",
        "resource",
    )
    for figure in FIGURES
}
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
