"""The accounts of the simulated vendors, their usage, and the vendors' clock.

All of it is plain data. Usage is a function of the day, so that accounts have a history and a
future of any length, cost nothing to create, and are reproducible.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

Usage: TypeAlias = Callable[[date], int] | Mapping[date, int]
"""Credits of a whole day. A mapping may change at any time and lacks the days without use."""

_EPOCH: Final = date(2026, 1, 1).toordinal()  # where growth starts
_MAX_GROWTH_YEARS: Final = 20.0  # so that no date overflows a float
_WEEKDAY_FACTORS: Final = (1.0, 1.12, 1.08, 1.05, 0.9, 0.16, 0.07)  # Monday first
_SUNDAY: Final = 7
_HOLIDAYS: Final = frozenset({(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)})
_IDLE_SUNDAYS: Final = 0.4  # the share of them
_SPIKES: Final = 0.015  # the share of days with an unusual load


@dataclass(frozen=True)
class Scope:
    """A workspace or document type of an Affinda organization."""

    identifier: str
    name: str
    usage: Usage


@dataclass(frozen=True)
class Organization:
    """An Affinda organization and the key of one of its users, who may be an admin."""

    identifier: str
    name: str
    api_key: str
    usage: Usage
    workspaces: tuple[Scope, ...] = ()
    document_types: tuple[Scope, ...] = ()
    admin: bool = True


@dataclass(frozen=True)
class Plan:
    """An Xtracta plan or booster pack.

    Args:
        id: the plan's or pack's own number.
        name: for people.
        price: what one period costs, in `currency`.
        currency: ISO code.
        allowed: documents of one period.
        used: documents used so far, or a function of the time.
        start, expiry: the period, with time zone.
        history: earlier periods.
    """

    id: int
    name: str
    price: Decimal | int
    currency: str
    allowed: int
    used: int | Callable[[datetime], int]
    start: datetime
    expiry: datetime
    history: tuple[Plan, ...] = ()

    def used_at(self, time: datetime) -> int:
        """Documents used until `time`."""
        return self.used if isinstance(self.used, int) else self.used(time)


@dataclass(frozen=True)
class Group:
    """An Xtracta group; without a key it is accessible with the key of a group above it."""

    id: int
    name: str
    api_key: str = ""
    plans: tuple[Plan, ...] = ()
    packs: tuple[Plan, ...] = ()
    subgroups: tuple[Group, ...] = ()

    def tree(self) -> Iterator[Group]:
        """The group itself and all groups below it."""
        yield self
        for group in self.subgroups:
            yield from group.tree()


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def whole_day(_time: datetime) -> float:
    """All of a day's usage counts from midnight on: literal figures for tests."""
    return 1.0


def business_hours(time: datetime) -> float:
    """The share of a day's usage until `time`: most of it is between 07:00 and 19:00."""
    hours = time.hour + time.minute / 60 + time.second / 3600
    return 0.15 * hours / 24 + 0.85 * min(max((hours - 7) / 12, 0.0), 1.0)


@dataclass(frozen=True)
class Accounts:
    """The accounts of both vendors.

    Args:
        organizations: Affinda's; several may share a key.
        groups: Xtracta's, each with the groups below it.
        now: the vendors' clock, in UTC; its date is their current day.
        elapsed: the share of the current day's usage until a time, 0 to 1.
    """

    organizations: tuple[Organization, ...] = ()
    groups: tuple[Group, ...] = ()
    now: Callable[[], datetime] = utc_now
    elapsed: Callable[[datetime], float] = whole_day

    @cached_property
    def organizations_by_key(self) -> Mapping[str, list[Organization]]:
        """The organizations of each key's user."""
        found: defaultdict[str, list[Organization]] = defaultdict(list)
        for organization in self.organizations:
            found[organization.api_key].append(organization)
        return dict(found)

    @cached_property
    def groups_by_key(self) -> Mapping[str, Group]:
        """Each key's own group."""
        return {
            group.api_key: group for top in self.groups for group in top.tree() if group.api_key
        }

    @cached_property
    def parents(self) -> Mapping[int, int]:
        """The id of the group above each group that has one."""
        return {
            group.id: above.id
            for top in self.groups
            for above in top.tree()
            for group in above.subgroups
        }

    def credits(self, usage: Usage, day: date, time: datetime) -> int:
        """Credits of a day until `time`; a future day has none."""
        if day > time.date():
            return 0
        share = 1.0 if day < time.date() else self.elapsed(time)
        return int(credits_of_day(usage, day) * share)


def credits_of_day(usage: Usage, day: date) -> int:
    """Credits of a whole day, which may be in the future."""
    return usage(day) if callable(usage) else usage.get(day, 0)


def weekday_usage(seed: str, mean: float, growth: float = 0.15) -> Callable[[date], int]:
    """Plausible usage of any day, without state.

    Args:
        seed: determines noise, spikes and idle Sundays.
        mean: of an ordinary weekday at the start of 2026.
        growth: per year, compound; 0.15 is 15 %.
    """

    def usage(day: date) -> int:
        noise, spike, idle = _random_numbers(f"{seed}/{day.toordinal()}")
        if day.isoweekday() == _SUNDAY and idle < _IDLE_SUNDAYS:
            return 0
        years = (day.toordinal() - _EPOCH) / 365.25
        trend = (1 + growth) ** min(max(years, -_MAX_GROWTH_YEARS), _MAX_GROWTH_YEARS)
        factor = 0.05 if (day.month, day.day) in _HOLIDAYS else _WEEKDAY_FACTORS[day.weekday()]
        load = 1.8 if spike < _SPIKES else 1.0
        return int(mean * trend * factor * load * (0.85 + 0.3 * noise))

    return usage


def _random_numbers(text: str) -> tuple[float, float, float]:
    """Three numbers from 0 to 1 that depend only on `text`."""
    digest = blake2b(text.encode(), digest_size=12).digest()
    first, second, third = (int.from_bytes(digest[at : at + 4]) / 2**32 for at in (0, 4, 8))
    return first, second, third


def cumulative_usage(usage: Callable[[date], int], start: datetime) -> Callable[[datetime], int]:
    """What a plan with this daily usage has used since `start`."""

    @lru_cache(maxsize=2)
    def before(today: date) -> int:
        days = (today - start.date()).days
        return sum(usage(start.date() + timedelta(days=day)) for day in range(days))

    def used(time: datetime) -> int:
        today = time.date()
        return before(today) + int(usage(today) * business_hours(time))

    return used
