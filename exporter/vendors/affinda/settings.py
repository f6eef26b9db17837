"""The settings of a target at Affinda."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from exporter.config.models import Target
from exporter.vendors.common.allowance import AllowanceSettings
from exporter.vendors.common.discovery import DiscoverySettings, default_discovery
from exporter.vendors.common.settings import Unique, in_one_message

IDENTIFIER: Final = "[A-Za-z0-9_-]{1,64}"

Identifier: TypeAlias = Annotated[str, Field(pattern=f"^{IDENTIFIER}$")]
Scopes: TypeAlias = Annotated[
    Literal["none", "all"]
    | Annotated[
        tuple[Identifier, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True})
    ],
    in_one_message("must be none, all, or a list of identifiers"),
    Unique,
]


class Settings(Target):
    """A target at Affinda."""

    vendor: Literal["affinda"]

    organization: Identifier
    """The organization's identifier."""

    region: Literal["api", "api.eu1", "api.us1"] = "api"
    """Region of the account; without effect where `base_url` is given."""

    workspaces: Scopes = "none"
    """none, all (found through the API), or a list of identifiers: a request each."""

    document_types: Scopes = "none"
    """none, all (found through the API), or a list of identifiers: a request each."""

    discovery: DiscoverySettings = Field(default_factory=default_discovery)
    """How `all` is found, and the names of organization, workspaces and document types."""

    allowance: AllowanceSettings | None = None
    """What was purchased: the API does not report it."""

    @property
    def address(self) -> str:
        """Where the API answers, without a trailing slash."""
        return self.base_url or f"https://{self.region}.affinda.com"
