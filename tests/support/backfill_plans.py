"""Plans of backfills for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from exporter.backfill.plan import (
    BackfillPlan,
)

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.models import Target


def a_plan(folder: Path, *targets: Target, **changes: object) -> BackfillPlan:
    usual = BackfillPlan(
        targets, date(2026, 3, 9), date(2026, 3, 10), 3600, "", folder / "history.om"
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # as the cases want it
