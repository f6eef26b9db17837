"""Which fields of Affinda's API identify somebody."""

from typing import Final

from exporter.vendors.base import IdentifyingFields

FIELDS: Final = IdentifyingFields(
    identifiers=frozenset(
        {"organization", "workspace", "workspaces", "document_type", "document_types"}
        | {"identifier", "scopeidentifier"}
    ),
    names=frozenset({"name"}),
    messages=frozenset({"detail", "message"}),
    plain=(
        *("scope", "start", "end", "total", "date", "count"),
        *("type", "attr", "code", "userrole", "istrial"),
    ),
    keywords=frozenset({"none", "all"}),
    domains=("affinda.com",),
)
