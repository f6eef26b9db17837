"""What is measured: many Affinda targets, alike but for their names, keys and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from exporter.demo.accounts import Accounts, Organization, weekday_rhythm, whole_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    Interval: TypeAlias = Callable[[int], str | None]

_STEADY: Final = 500  # organizations with rhythms of their own; the others repeat them

# A target's first poll makes two requests: 170 of them a second, nearly as fast as the later ones.
_CONFIG: Final = """\
poll: {{interval: {interval}, timeout: 20s, requests_per_second: 340}}
targets:
"""
_TARGET: Final = """\
  - name: customer-{number:05d}-production
    vendor: affinda
    base_url: {vendors}
    organization: oRg{number:05d}
    api_key: made-up-{number:05d}
"""
_OWN_INTERVAL: Final = "    poll: {{interval: {interval}}}\n"


def accounts(targets: int, *, is_changing: bool) -> Accounts:
    """The accounts of that many targets, each with a year of daily figures.

    Args:
        targets: how many.
        is_changing: whether the current day's figure is another one each time it is asked for.
    """
    organizations = tuple(map(_organization, range(targets)))
    return Accounts(organizations, elapsed=_by_microseconds if is_changing else whole_day)


def _by_microseconds(moment: datetime) -> float:
    return moment.microsecond / 1_000_000


def _organization(number: int) -> Organization:
    name = f"Customer number {number}"
    return Organization(f"oRg{number:05d}", name, f"made-up-{number:05d}", _usage(number))


def _usage(number: int) -> Callable[[date], int]:
    return weekday_rhythm(f"customer {number % _STEADY}", 200 + number % 1000)


def no_other(_: int) -> None:
    """Every target is polled at the usual interval."""


def config(targets: int, vendors: str, interval: str, other: Interval = no_other) -> str:
    """The configuration of that many targets.

    Args:
        targets: how many.
        vendors: the vendors' base URL.
        interval: from poll to poll.
        other: the interval of a target, by its number, if it is another one.
    """
    return "".join(_lines(targets, vendors, interval, other))


def _lines(targets: int, vendors: str, interval: str, other: Interval) -> Iterator[str]:
    yield _CONFIG.format(interval=interval)
    for number in range(targets):
        yield _TARGET.format(number=number, vendors=vendors)
        if own := other(number):
            yield _OWN_INTERVAL.format(interval=own)
