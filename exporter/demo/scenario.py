"""The two vendor APIs, simulated, and the accounts that `docusage-exporter demo` shows."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from exporter.demo.accounts import (
    Accounts,
    DocumentType,
    Group,
    Organization,
    Plan,
    Workspace,
    accumulated,
    business_hours,
    utc_now,
    weekday_rhythm,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.demo.accounts import Usage

__all__ = ["demo_accounts", "demo_config"]

_PREPAID_DAYS: Final = 365
_PREPAID_DAYS_GONE: Final = 200
_DAY: Final = timedelta(days=1)


def demo_accounts(now: Callable[[], datetime] = utc_now) -> Accounts:
    """Accounts in every state worth seeing, whatever the date: `now` is the vendors' clock."""
    return Accounts(
        (_europe(), _america(), _prepaid()),
        (_new_zealand(now()), _pacific(now())),
        now,
        business_hours,
    )


def demo_config(accounts: Accounts, base_url: str) -> str:
    """The exporter's configuration for a `demo_accounts` that is served at `base_url`: YAML."""
    today = accounts.now().date()
    europe, america, prepaid = accounts.organizations
    starts = today - timedelta(days=_PREPAID_DAYS_GONE)
    ends = starts + timedelta(days=_PREPAID_DAYS)
    return _CONFIG.format(
        base_url=base_url,
        europe_credits=_rounded_up(1.4 * _sum(europe.usage, *_month(today)), 1000),
        america_credits=_running_out(accounts, america.usage),
        prepaid_credits=_rounded_up(1.5 * _sum(prepaid.usage, starts, today), 1000),
        starts=starts,
        ends=ends,
    )


def _europe() -> Organization:
    claims = weekday_rhythm("europe/claims", 900)
    invoices = weekday_rhythm("europe/invoices", 520, growth=0.3)
    onboarding = weekday_rhythm("europe/onboarding", 140, growth=-0.05)
    archive = weekday_rhythm("europe/archive", 35, growth=0.0)

    def usage(day: date) -> int:
        return claims(day) + invoices(day) + onboarding(day) + archive(day)

    return Organization(
        "eUrAcMe1",
        "Acme Assurance Europe",
        "demo-key-1-not-real",
        usage,
        (
            Workspace("cLaImSx1", "Claims", claims),
            Workspace("iNvOiCx2", "Supplier invoices", invoices),
            Workspace("oNbOaRx3", "Customer onboarding", onboarding),
            Workspace("aRcHiVx4", "Archive project", archive),
        ),
        (
            DocumentType("dClAiMf1", "Claim form", lambda day: claims(day) * 7 // 10),
            DocumentType("dInVoIc2", "Invoice", lambda day: invoices(day) + claims(day) // 5),
            DocumentType("dPaSsPo3", "Passport", lambda day: onboarding(day) // 2),
        ),
    )


def _america() -> Organization:
    usage = weekday_rhythm("america", 610, growth=0.4)
    return Organization("uSaAcMe2", "Acme Assurance US", "demo-key-2-not-real", usage)


def _prepaid() -> Organization:
    usage = weekday_rhythm("logistics", 260)
    return Organization("lOgIaCm3", "Acme Logistics", "demo-key-3-not-real", usage)


def _new_zealand(moment: datetime) -> Group:
    """A healthy plan with a booster pack, and in a group below it one that expires soon."""
    started = _midnight(moment) - 140 * _DAY
    expiry = moment.replace(microsecond=0) + 3 * _DAY
    in_a_year = started + 365 * _DAY
    yearly = Plan(7101, "Yearly 2", 4900, "NZD", 0, 0, started, in_a_year)
    pack = Plan(7301, "Booster 2000", 180, "NZD", 2000, 640, started, in_a_year)
    monthly = Plan(7102, "Monthly 1", 390, "AUD", 0, 0, expiry - 30 * _DAY, expiry)
    branch = Group(4102, "Acme Freight Australia", plans=(_in_use(monthly, 0.7),))
    plans = (_in_use(yearly, 0.8),)
    return Group(4101, "Acme Freight", "demo-key-4-not-real", plans, (pack,), (branch,))


def _pacific(moment: datetime) -> Group:
    """A plan with 3 % left and weeks to go."""
    start = _midnight(moment) - 40 * _DAY
    used = accumulated(weekday_rhythm("pacific", 160), start)
    allowed = ceil(used(moment) / 0.97)
    plan = Plan(7201, "Quarterly 1", 1150, "NZD", allowed, used, start, start + 91 * _DAY)
    return Group(4201, "Acme Pacific", "demo-key-5-not-real", (plan,))


def _in_use(plan: Plan, share: float) -> Plan:
    """The plan sized so that `share` of it is used when it expires, and the period before it."""
    used = accumulated(weekday_rhythm(plan.name, 95), plan.start)
    allowed = _rounded_up(used(plan.expiry) / share, 100)
    before = replace(
        plan,
        allowed=allowed,
        used=allowed * 9 // 10,
        start=plan.start - (plan.expiry - plan.start),
        expiry=plan.start,
    )
    return replace(plan, allowed=allowed, used=used, history=(before,))


def _running_out(accounts: Accounts, usage: Usage) -> int:
    """A monthly allowance that ends before this month does, on its last day as on its first.

    Two days' worth is left, or half of what the rest of the month will take or is expected to
    take where that is less: the exporter, which knows only the past, is to see it coming too.
    """
    moment = accounts.now()
    today = moment.date()
    first, last = _month(today)
    so_far = accounts.credits(usage, today, moment)
    used = _sum(usage, first, today - _DAY) + so_far
    to_come = _sum(usage, today, last) - so_far
    expected = max(_expected(usage, today, today) - so_far, 0) + sum(
        _expected(usage, day, today) for day in _days(today + _DAY, last)
    )
    two_days = _sum(usage, today - 28 * _DAY, today - _DAY) / 14
    return max(used + int(min(two_days, to_come / 2, expected / 2)), 1)


def _expected(usage: Usage, day: date, today: date) -> float:
    """The mean of the same weekday over the four weeks before `today`."""
    weeks = (day - today).days // 7 + 1
    return sum(whole(usage, day - (weeks + week) * 7 * _DAY) for week in range(4)) / 4


def _sum(usage: Usage, first: date, last: date) -> int:
    return sum(whole(usage, day) for day in _days(first, last))


def _days(first: date, last: date) -> Iterator[date]:
    return map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))


def _month(day: date) -> tuple[date, date]:
    """The first and the last day of the day's month."""
    return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _rounded_up(value: float, step: int) -> int:
    return ceil(value / step) * step


_CONFIG: Final = """\
# What the demo polls: the two vendor APIs, simulated on this machine. The keys are made up.
# Leave out `base_url`, put your own identifiers and keys, and this is a configuration for
# the real ones; `interval` should then be minutes.
poll: {{interval: 15s}}

targets:
  # Plenty of a monthly allowance is left; usage broken down by workspace and document type.
  - name: acme-eu
    vendor: affinda
    base_url: {base_url}
    organization: eUrAcMe1
    api_key: demo-key-1-not-real
    workspaces: all
    document_types: all
    allowance: {{credits: {europe_credits}, period: month, price_per_credit: 0.05, currency: EUR}}

  # Little is left: at this pace it runs out before the month ends.
  - name: acme-us
    vendor: affinda
    base_url: {base_url}
    organization: uSaAcMe2
    api_key: demo-key-2-not-real
    allowance: {{credits: {america_credits}, period: month, price_per_credit: 0.06, currency: USD}}

  # Credits bought in advance, for a year.
  - name: acme-logistics
    vendor: affinda
    base_url: {base_url}
    organization: lOgIaCm3
    api_key: demo-key-3-not-real
    allowance:
      credits: {prepaid_credits}
      period: prepaid
      starts: {starts}
      ends: {ends}
      price_per_credit: 0.09
      currency: EUR

  # Two groups, billed in NZD and AUD: the first has a booster pack beside its plan,
  # the plan of the second expires in three days.
  - name: acme-nz
    vendor: xtracta
    base_url: {base_url}
    api_key: demo-key-4-not-real
    groups: all

  # A plan that is nearly used up, with weeks to go.
  - name: acme-pacific
    vendor: xtracta
    base_url: {base_url}
    api_key: demo-key-5-not-real

  # The vendor refuses this key: what a failing target looks like.
  - name: acme-legacy
    vendor: affinda
    base_url: {base_url}
    organization: eUrAcMe1
    api_key: demo-key-6-revoked
"""
