"""What the simulated vendors know: accounts, their usage, and the one clock they live by.

All of it is plain data. Usage is a function of the day, so that a world has a past and a future
of any length, costs nothing to build, and is the same each time it is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from decimal import Decimal

Usage: TypeAlias = Callable[[date], int] | Mapping[date, int]
"""Credits of a whole day. A mapping may change at any time and lacks the days without use;
a function always gives the same answer for the same day."""

_EPOCH: Final = date(2026, 1, 1).toordinal()  # growth is told from here
_LONGEST_GROWTH: Final = 20.0  # years, so that no date is too far for a float
_WEEK: Final = (1.0, 1.12, 1.08, 1.05, 0.9, 0.16, 0.07)  # Monday first
_SUNDAY: Final = 7
_HOLIDAYS: Final = frozenset({(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)})
_IDLE_SUNDAYS: Final = 0.4  # the share of them
_SPIKES: Final = 0.015  # the share of days with an unusual load


@dataclass(frozen=True)
class Workspace:
    """A workspace of an Affinda organization."""

    identifier: str
    name: str
    usage: Usage


@dataclass(frozen=True)
class DocumentType:
    """A document type of an Affinda organization."""

    identifier: str
    name: str
    usage: Usage


@dataclass(frozen=True)
class Organization:
    """An Affinda organization and the key of one of its users; `admin` tells the user's role."""

    identifier: str
    name: str
    api_key: str
    usage: Usage
    workspaces: tuple[Workspace, ...] = ()
    document_types: tuple[DocumentType, ...] = ()
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
        used: documents used so far, or a function of the moment that tells them.
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

    def used_by(self, moment: datetime) -> int:
        """Documents used so far at `moment`."""
        return self.used if isinstance(self.used, int) else self.used(moment)


@dataclass(frozen=True)
class Group:
    """An Xtracta group; a group without a key is reached with the key of a group above it."""

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


def whole_day(_moment: datetime) -> float:
    """All of a day's usage is there from midnight on: literal figures for tests."""
    return 1.0


def business_hours(moment: datetime) -> float:
    """The share of a day's usage done by `moment`: most of it between 07:00 and 19:00."""
    hours = moment.hour + moment.minute / 60 + moment.second / 3600
    return 0.15 * hours / 24 + 0.85 * min(max((hours - 7) / 12, 0.0), 1.0)


@dataclass(frozen=True)
class Accounts:
    """Everything both vendors know.

    Args:
        organizations: Affinda's; several may share one key.
        groups: Xtracta's, each with the groups below it.
        now: the vendors' clock, in UTC; its date is their current day.
        elapsed: the share of the current day's usage that is done at a moment, 0 to 1.
    """

    organizations: tuple[Organization, ...] = ()
    groups: tuple[Group, ...] = ()
    now: Callable[[], datetime] = utc_now
    elapsed: Callable[[datetime], float] = whole_day
    memo: dict[Usage, tuple[date, date, str, int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # Affinda's complete days as they were last written, so that a reply is cheap

    @cached_property
    def organizations_by_key(self) -> Mapping[str, list[Organization]]:
        """The organizations that each key's user has joined."""
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

    def credits(self, usage: Usage, day: date, moment: datetime) -> int:
        """Credits of one day as known at `moment`; a day to come has none."""
        if day > moment.date():
            return 0
        share = 1.0 if day < moment.date() else self.elapsed(moment)
        return int(whole(usage, day) * share)


def whole(usage: Usage, day: date) -> int:
    """Credits of the whole day, also of one to come."""
    return usage(day) if callable(usage) else usage.get(day, 0)


def weekday_rhythm(
    seed: str,
    mean: float,
    growth: float = 0.15,
    holidays: Collection[tuple[int, int]] = _HOLIDAYS,
) -> Callable[[date], int]:
    """Plausible usage: a figure for any day, without any state.

    Args:
        seed: rhythms with different seeds differ in noise, spikes and idle Sundays.
        mean: of an ordinary weekday at the start of 2026.
        growth: a year, compound; 0.15 is 15 %.
        holidays: months and days on which hardly anybody works.
    """

    def usage(day: date) -> int:
        noise, spike, idle = _three_chances(f"{seed}/{day.toordinal()}")
        if day.isoweekday() == _SUNDAY and idle < _IDLE_SUNDAYS:
            return 0
        years = (day.toordinal() - _EPOCH) / 365.25
        trend = (1 + growth) ** min(max(years, -_LONGEST_GROWTH), _LONGEST_GROWTH)
        rhythm = 0.05 if (day.month, day.day) in holidays else _WEEK[day.weekday()]
        unusual = 1.8 if spike < _SPIKES else 1.0
        return int(mean * trend * rhythm * unusual * (0.85 + 0.3 * noise))

    return usage


def _three_chances(text: str) -> tuple[float, float, float]:
    """Three numbers from 0 to 1 that depend on `text` alone."""
    digest = blake2b(text.encode(), digest_size=12).digest()
    first, second, third = (int.from_bytes(digest[at : at + 4]) / 2**32 for at in (0, 4, 8))
    return first, second, third


def accumulated(usage: Callable[[date], int], start: datetime) -> Callable[[datetime], int]:
    """What a plan that began at `start` has used by a moment, following a daily rhythm."""

    @lru_cache(maxsize=2)
    def before(today: date) -> int:
        days = (today - start.date()).days
        return sum(usage(start.date() + timedelta(days=day)) for day in range(days))

    def used(moment: datetime) -> int:
        today = moment.date()
        return before(today) + int(usage(today) * business_hours(moment))

    return used
