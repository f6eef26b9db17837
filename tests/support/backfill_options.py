"""Options of backfills for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from exporter.backfill.options import (
    BackfillOptions,
)

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.models import Target


def some_options(folder: Path, *targets: Target, **changes: object) -> BackfillOptions:
    usual = BackfillOptions(
        targets, date(2026, 3, 9), date(2026, 3, 10), 3600, "", folder / "history.om"
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # as the cases want it
