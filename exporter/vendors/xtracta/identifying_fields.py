"""Which fields of Xtracta's API identify somebody."""

from typing import Final

from exporter.vendors.base import IdentifyingFields

FIELDS: Final = IdentifyingFields(
    identifiers=frozenset({"id", "parentid", "group_id", "groups"}),
    names=frozenset({"name", "plan", "plan_name", "pack_name", "group_name"}),
    messages=frozenset({"message"}),
    plain=(
        *("status", "price", "wholesale_price", "price_currency", "credit_amount", "quantity"),
        *("allowed_*", "used_*", "available_*", "start_date", "expiry_date"),
        *("plan_type", "plan_activity", "billing_from", "billing_to", "recursive"),
    ),
    keywords=frozenset({"own", "all"}),
    domains=("xtracta.com",),
)
