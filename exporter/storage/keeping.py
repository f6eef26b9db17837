"""Keeps state across restarts where a folder for it is given, else nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.config.models import Target
    from exporter.snapshot import Entry, State
    from exporter.storage.files import Keeper


def keeper(folder: Path | None) -> Keeper | Forgetful:
    """What keeps state in `folder`; without one nothing is kept."""
    if folder is None:
        return Forgetful()
    from exporter.storage.files import Keeper, Storage  # noqa: PLC0415  most do without

    return Keeper(Storage(folder))


class Forgetful:
    """Keeps nothing, with the methods of a `Keeper`."""

    async def load(self, targets: Iterable[Target]) -> dict[str, State]:  # noqa: ARG002  as there
        """Nothing is known."""
        return {}

    def keep(self, entry: Entry) -> None:
        """Nothing is kept."""

    async def run(self) -> None:
        """Nothing is to be done."""
