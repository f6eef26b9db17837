"""What the metrics pages of a soak run show."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from benchmarks.faulty_vendors import ROUND_STEP

_POLLS: Final = re.compile(r"^docusage_target_polls_total(\{.*?\}) (\d+)", re.MULTILINE)
_FAILING: Final = re.compile(r'^docusage_target_failing\{.*?reason="(\w+)"\} 1', re.MULTILINE)
_UP: Final = re.compile(r"^docusage_target_up\{.*\} 1", re.MULTILINE)
_USAGE: Final = re.compile(
    r'^(?:affinda_credits_daily|xtracta_documents_used)\{target="t(\d+)".*\} (\d+)', re.MULTILINE
)


class PageChecks:
    """Totals over many pages; unlike the exporter's counters they survive reloads.

    Attributes:
        polls: number of polls.
        failing: how often a target was seen to fail, by reason.
        wrong_usage: values that belong to another account than the one that showed them.
    """

    def __init__(self) -> None:
        self.polls = 0
        self.failing: Counter[str] = Counter()
        self.wrong_usage: set[str] = set()
        self._last_polls: dict[str, int] = {}

    def add(self, page: str) -> None:
        """Take in one more page."""
        polls = {found[1]: int(found[2]) for found in _POLLS.finditer(page)}
        for series, count in polls.items():
            before = self._last_polls.get(series, 0)
            self.polls += count - before if count >= before else count  # less: it was reloaded
        self._last_polls = polls
        self.failing.update(_FAILING.findall(page))
        for account, value in usage(page).items():
            if value % ROUND_STEP != account:
                self.wrong_usage.add(f"t{account} showed {value}")


def targets_up(page: str) -> int:
    """How many targets are up."""
    return len(_UP.findall(page))


def usage(page: str) -> dict[int, int]:
    """Each account's usage of its current day or plan."""
    return {int(account): int(value) for account, value in _USAGE.findall(page)}
