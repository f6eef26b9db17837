"""Credits that were purchased, for a period or prepaid, where the API does not report them."""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from exporter.config.errors import config_error
from exporter.config.models import Model
from exporter.days import DAY

_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_DAY: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")


def _day(value: object) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise config_error("must be a date such as 2026-01-31")


Day: TypeAlias = Annotated[
    date, BeforeValidator(_day, json_schema_input_type=Annotated[str, Field(pattern=_DAY.pattern)])
]


class AllowanceSettings(Model):
    """How many credits were purchased, and for which time."""

    credits: int = Field(ge=0, le=2**53)
    """Credits for each period; 0 where none are purchased in advance."""

    period: Literal["month", "quarter", "year", "prepaid"]
    """How often they are renewed; prepaid ones are not."""

    starts: Day | None = None
    """Prepaid: the first day they count. Else a day on which a period began: every period begins
    on that day of its month; default: the calendar's own periods."""

    ends: Day | None = None
    """Prepaid only: the last day they count."""

    price_per_credit: float | None = Field(None, ge=0)
    """For the costs in reports; never converted; together with `currency`."""

    currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    """The ISO 4217 code of `price_per_credit`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.period == "prepaid" and not self.starts:
            raise config_error("a prepaid allowance needs the day on which it starts")
        if self.ends and self.period != "prepaid":
            raise config_error("only a prepaid allowance ends; a period is renewed")
        if self.starts and self.ends and self.ends < self.starts:
            raise config_error("ends before it starts")
        if (self.price_per_credit is None) != (self.currency is None):
            raise config_error("price_per_credit and currency go together")
        return self

    def bounds(self, today: date) -> tuple[date, date | None]:
        """The first day of the period that holds `today`, and the first day after it.

        A prepaid allowance has one period, whether it holds `today` or not.
        """
        anchor = self.starts or date(2000, 1, 1)
        if self.period == "prepaid":
            return anchor, self.ends + DAY if self.ends else None
        step = _MONTHS[self.period]
        month = (today.year - anchor.year) * 12 + today.month - anchor.month
        periods = month // step
        if _months_after(anchor, periods * step) > today:
            periods -= 1
        return _months_after(anchor, periods * step), _months_after(anchor, (periods + 1) * step)


def _months_after(anchor: date, months: int) -> date:
    """The same day of another month, or that month's last where it has no such day."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(anchor.day, last))
