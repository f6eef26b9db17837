"""Flags that the commands which read history have in common."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Final

from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.config.models import Target

EARLIEST_DAY: Final = date(2010, 1, 1)  # no vendor has figures from before


class FlagError(Exception):
    """A flag is invalid."""


def select_targets(targets: Sequence[Target], names: Collection[str]) -> tuple[Target, ...]:
    """The targets of these names; without names all whose vendor has an API for past usage.

    Raises:
        FlagError: a name is not that of a target, or its vendor has no such API.
    """
    if unknown := set(names) - {target.name for target in targets}:
        raise FlagError(f"unknown target: {', '.join(sorted(unknown))}")
    selected = [target for target in targets if not names or target.name in names]
    no_history = {name for name, vendor in VENDORS.items() if vendor.history is None}
    without = [target.name for target in selected if target.vendor in no_history]
    if without and (names or len(without) == len(selected)):
        raise FlagError(f"the vendor has no API for past usage: {', '.join(sorted(without))}")
    return tuple(target for target in selected if target.name not in without)


def parse_day(text: str, flag: str) -> date:
    """A day such as `2026-01-31`.

    Raises:
        FlagError: it is not a day; the message names `flag`.
    """
    try:
        return date(*time.strptime(text, "%Y-%m-%d")[:3])
    except ValueError:
        raise FlagError(f"invalid {flag}; expected a date such as 2026-01-31") from None
