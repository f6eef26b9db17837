"""Keeps state across restarts where a folder for it is given, else nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.config.models import Target
    from exporter.state.persistence import StateWriter
    from exporter.state.store import TargetSnapshot, TargetState


def open_storage(folder: Path | None) -> StateWriter | NullStorage:
    """What keeps state in `folder`; without one nothing is kept."""
    if folder is None:
        return NullStorage()
    from exporter.state.persistence import StateWriter, Storage  # noqa: PLC0415  most do without

    return StateWriter(Storage(folder))


class NullStorage:
    """Keeps nothing, with the methods of a `StateWriter`."""

    async def load(self, targets: Iterable[Target]) -> dict[str, TargetState]:  # noqa: ARG002  as there
        """Nothing is known."""
        return {}

    def keep(self, snapshot: TargetSnapshot) -> None:
        """Nothing is kept."""

    async def run(self) -> None:
        """Nothing is to be done."""
