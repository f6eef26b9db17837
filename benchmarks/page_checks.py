"""What a page says of all targets together, added up from page to page."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from benchmarks.faulty_vendors import STEP

_COUNTER: Final = re.compile(
    r'^docusage_poll(s|_failures)_total(\{.*?(?:reason="(\w+)")?\}) (\d+)', re.MULTILINE
)
_UP: Final = re.compile(r"^docusage_target_up\{.*\} 1", re.MULTILINE)
_FIGURE: Final = re.compile(
    r'^(?:affinda_credits_daily|xtracta_documents_used)\{target="t(\d+)".*\} (\d+)', re.MULTILINE
)


class Tally:
    """What was seen from outside. Counters of removed targets begin anew, these do not.

    Attributes:
        counts: `polls`, and failures by reason.
        wrong: figures that can be no figure of the account that showed them.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.config_error: set[str] = set()
        self._last: dict[str, int] = {}

    def read(self, page: str) -> None:
        """Add what was counted since the last page; a figure can be only the account's own."""
        seen = {found[1] + found[2]: (found[3], int(found[4])) for found in _COUNTER.finditer(page)}
        for series, (reason, value) in seen.items():
            before = self._last.get(series, 0)
            if more := value - before if value >= before else value:
                self.counts[reason or "polls"] += more
        self._last = {series: value for series, (_, value) in seen.items()}
        for number, value in figures(page).items():
            if value % STEP != number:
                self.config_error.add(f"t{number} showed {value}")


def up(page: str) -> int:
    """How many targets are up."""
    return len(_UP.findall(page))


def figures(page: str) -> dict[int, int]:
    """Each account's figure for its current day or plan."""
    return {int(number): int(value) for number, value in _FIGURE.findall(page)}
