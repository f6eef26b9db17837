"""The accounts and the configuration of many Affinda targets, alike but for names and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from exporter.demo.accounts import Accounts, Organization, weekday_usage, whole_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    OwnInterval: TypeAlias = Callable[[int], str | None]
    """A target's own poll interval by its number, if it has one."""

_USAGE_PATTERNS: Final = 500  # the usage of further organizations repeats these

# A target's first poll makes two requests: 170 first polls a second, about the rate of later ones.
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
    """The accounts of that many targets, each with a year of daily usage.

    Args:
        targets: number of accounts.
        is_changing: whether the current day's usage differs in every response.
    """
    organizations = tuple(map(_organization, range(targets)))
    return Accounts(organizations, elapsed=_microsecond_of if is_changing else whole_day)


def _microsecond_of(moment: datetime) -> float:
    return moment.microsecond / 1_000_000


def _organization(number: int) -> Organization:
    name = f"Customer number {number}"
    return Organization(f"oRg{number:05d}", name, f"made-up-{number:05d}", _usage(number))


def _usage(number: int) -> Callable[[date], int]:
    return weekday_usage(f"customer {number % _USAGE_PATTERNS}", 200 + number % 1000)


def common_interval(_: int) -> None:
    """No target has an interval of its own."""


def config(
    targets: int, vendors: str, interval: str, own_interval: OwnInterval = common_interval
) -> str:
    """The configuration of that many targets.

    Args:
        targets: number of targets.
        vendors: the vendors' base URL.
        interval: poll interval of the targets without one of their own.
        own_interval: a target's own poll interval by its number.
    """
    return "".join(_lines(targets, vendors, interval, own_interval))


def _lines(targets: int, vendors: str, interval: str, own_interval: OwnInterval) -> Iterator[str]:
    yield _CONFIG.format(interval=interval)
    for number in range(targets):
        yield _TARGET.format(number=number, vendors=vendors)
        if own := own_interval(number):
            yield _OWN_INTERVAL.format(interval=own)
