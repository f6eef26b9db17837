"""Past usage in one shape for every vendor: by day, or by period of a plan."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact
from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from exporter.days import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from exporter.model import PollFailure

_EXACT: Final = Context(prec=100, traps=[Inexact])  # digits; no price times a count has more


class Account(NamedTuple):
    """Who is billed.

    Args:
        kind: such as `organization` or `group`.
        identifier: the vendor's.
        name: empty where unknown.
        region, region_name: of the vendor; empty where it has none.
    """

    kind: str
    identifier: str
    name: str = ""
    region: str = ""
    region_name: str = ""


class Part(NamedTuple):
    """A part of an account whose usage the vendor reports by itself.

    Args:
        kind: the axis, such as `workspace` or `document-type`; parts of different axes overlap.
        identifier: the vendor's.
        name: empty where unknown.
    """

    kind: str
    identifier: str
    name: str = ""


class Money(NamedTuple):
    """An exact amount in a currency, an ISO 4217 code; amounts are never converted."""

    amount: Decimal
    currency: str

    def times(self, count: int) -> Money:
        """The exact price of so many."""
        return self._replace(amount=_EXACT.multiply(self.amount, count))


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum without rounding; 0 of nothing."""
    return reduce(_EXACT.add, amounts, Decimal(0))


class DailyUsage(NamedTuple):
    """What an account, or a part of it, used each day.

    All of an account cover the same days.

    Args:
        account: who is billed.
        part: None for the whole account.
        unit: what is counted, plural, such as `credits`.
        first: the first day.
        counts: of each day from `first` on; None where the vendor does not report it.
        current_day: the vendor's current day, whose figure is not final.
        unit_price: of one unit, if known.
        price_keys: the target's configuration keys that set the price, if there are any.
    """

    account: Account
    part: Part | None
    unit: str
    first: date
    counts: tuple[int | None, ...]
    current_day: date
    unit_price: Money | None = None
    price_keys: str = ""

    def days(self) -> Iterator[tuple[date, int | None]]:
        """Each day and its figure."""
        return ((self.first + index * DAY, count) for index, count in enumerate(self.counts))


class Period(NamedTuple):
    """A period of something that was purchased: an allowance, a plan or a pack.

    Args:
        account: who is billed.
        kind: `allowance`, `plan` or `pack`.
        identifier: the vendor's; of an allowance its name in metrics.
        name: for people; empty where unknown.
        unit: what is counted, plural, such as `documents`.
        start, end: UTC, the end exclusive; None where unknown or open.
        allowed: None where unknown or unlimited.
        used: until the period's end, or until `final_until` or later; None where unknown.
        price: of the period, if known.
        has_own_price: False where the price of another `Period` of the same plan covers this one.
        renews: whether the same follows at its end.
        is_used_by_day: whether the account's `DailyUsage` draws it down.
        final_until: until when `used` is final; None means the time at which it was read.
    """

    account: Account
    kind: str
    identifier: str
    name: str
    unit: str
    start: datetime | None
    end: datetime | None
    allowed: int | None
    used: int | None
    price: Money | None = None
    has_own_price: bool = True
    renews: bool = False
    is_used_by_day: bool = False
    final_until: datetime | None = None

    @property
    def unused(self) -> int | None:
        """What is left, at least 0; None where unknown or unlimited."""
        if self.allowed is None or self.used is None:
            return None
        return max(0, self.allowed - self.used)


class UnreadScope(NamedTuple):
    """A scope whose past could not be read while the rest could.

    Args:
        scope: for people, such as `workspace wSp1`.
        failure: why.
    """

    scope: str
    failure: PollFailure


PastUsage: TypeAlias = DailyUsage | Period | UnreadScope
