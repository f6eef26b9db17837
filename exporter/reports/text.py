"""Figures and moments of a report as text, without a rounding that nobody asked for."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from exporter.past_usage import Money, Period

_DIVISION: Final = Context(prec=100, rounding=ROUND_HALF_EVEN)
_CENT: Final = Decimal("0.01")


def exact(amount: Decimal) -> str:
    """All digits, without an exponent."""
    return f"{amount:f}"


def decimal_text(amount: Decimal) -> str:
    """All digits and at least two decimal places, so that a reader finds a decimal in each cell."""
    return exact(_padded(amount))


def quotient(dividend: Decimal | int, divisor: int, places: int) -> Decimal:
    """A quotient with so many decimal places, rounded half to even."""
    exact_quotient = _DIVISION.divide(dividend, divisor)
    return exact_quotient.quantize(Decimal(1).scaleb(-places), context=_DIVISION)


def share(part: int, whole: int) -> str:
    """A part of the whole, 0 to 1 with four decimal places; empty if the whole is 0."""
    return exact(quotient(part, whole, 4)) if whole else ""


def for_people(amount: Decimal) -> str:
    """All digits, at least two decimal places, with thousands separators."""
    return f"{_padded(amount):,f}"


def _padded(amount: Decimal) -> Decimal:
    """The same with at least two decimal places, and no more than it needs."""
    padded = amount.quantize(_CENT, context=_DIVISION)
    return padded if padded == amount else amount.normalize(_DIVISION)


def money(amount: Money | None) -> str:
    """Such as `1,050.00 EUR`; `-` where unknown."""
    return f"{for_people(amount.amount)} {amount.currency}" if amount else "-"


def price_per_used(period: Period) -> Decimal | None:
    """What one used unit of a period came to; None where unknown or nothing was used."""
    if not period.price or not period.used:
        return None
    return quotient(period.price.amount, period.used, 6)


def moment(time: datetime | None) -> str:
    """Such as `2026-10-31`, or `2026-10-31 10:13` UTC where it is not midnight; `?` if unknown."""
    if time is None:
        return "?"
    return f"{time:%Y-%m-%d}" if time.time() == time.min.time() else f"{time:%Y-%m-%d %H:%M}"


def iso(time: datetime | None) -> str:
    """A day such as `2026-10-31`, or with a time `2026-10-31T10:13:00Z`; empty if unknown."""
    if time is None:
        return ""
    is_day = time.time() == time.min.time()
    return f"{time:%Y-%m-%d}" if is_day else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def name_of(name: str, identifier: str) -> str:
    """Both, such as `Acme (oRg1)`; the identifier alone where there is no name."""
    return f"{name} ({identifier})" if name else identifier
