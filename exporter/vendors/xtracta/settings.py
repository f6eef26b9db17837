"""The settings of a target at Xtracta."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from exporter.config.models import Target
from exporter.vendors.common.discovery import DiscoverySettings, default_discovery
from exporter.vendors.common.settings import Unique, in_one_message

GroupId: TypeAlias = Annotated[int, Field(ge=1, le=2**53)]
Groups: TypeAlias = Annotated[
    Literal["own", "all"]
    | Annotated[tuple[GroupId, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True})],
    in_one_message("must be own, all, or a list of group ids"),
    Unique,
]


class Settings(Target):
    """A target at Xtracta."""

    vendor: Literal["xtracta"]

    groups: Groups = "own"
    """own (the key's group), all (the tree below it too), or a list of ids: a request each."""

    renews: bool = False
    """Whether plans are renewed when they end, even where past periods do not show it."""

    discovery: DiscoverySettings = Field(default_factory=default_discovery)
    """How `all` is found, and the names of groups."""

    @property
    def address(self) -> str:
        """Where the API answers, without a trailing slash."""
        return self.base_url or "https://api-app.xtracta.com"
