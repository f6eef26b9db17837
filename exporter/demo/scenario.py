"""The accounts and the configuration of `docusage-exporter demo`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from exporter.days import DAY, days_between, midnight, next_month
from exporter.demo.accounts import (
    Accounts,
    Group,
    Organization,
    Plan,
    Scope,
    business_hours,
    credits_of_day,
    cumulative_usage,
    utc_now,
    weekday_usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.demo.accounts import Usage

__all__ = ["demo_accounts", "demo_config"]

_PREPAID_DAYS: Final = 365
_PREPAID_DAYS_ELAPSED: Final = 200


def demo_accounts(now: Callable[[], datetime] = utc_now) -> Accounts:
    """Accounts in every state that the exporter can show, on any date.

    Args:
        now: the vendors' clock.
    """
    us, logistics = weekday_usage("america", 610, growth=0.4), weekday_usage("logistics", 260)
    organizations = (
        _europe(),
        Organization("uSaAcMe2", "Acme Assurance US", "demo-key-2-not-real", us),
        Organization("lOgIaCm3", "Acme Logistics", "demo-key-3-not-real", logistics),
    )
    groups = (_new_zealand(now()), _pacific(now()))
    return Accounts(organizations, groups, now, business_hours)


def demo_config(accounts: Accounts, base_url: str) -> str:
    """A configuration, as YAML, that polls the demo's accounts at `base_url`."""
    today = accounts.now().date()
    europe, america, prepaid = accounts.organizations
    starts = today - timedelta(days=_PREPAID_DAYS_ELAPSED)
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
    claims = weekday_usage("europe/claims", 900)
    invoices = weekday_usage("europe/invoices", 520, growth=0.3)
    onboarding = weekday_usage("europe/onboarding", 140, growth=-0.05)
    archive = weekday_usage("europe/archive", 35, growth=0.0)

    def usage(day: date) -> int:
        return claims(day) + invoices(day) + onboarding(day) + archive(day)

    return Organization(
        "eUrAcMe1",
        "Acme Assurance Europe",
        "demo-key-1-not-real",
        usage,
        (
            Scope("cLaImSx1", "Claims", claims),
            Scope("iNvOiCx2", "Supplier invoices", invoices),
            Scope("oNbOaRx3", "Customer onboarding", onboarding),
            Scope("aRcHiVx4", "Archive project", archive),
        ),
        (
            Scope("dClAiMf1", "Claim form", lambda day: claims(day) * 7 // 10),
            Scope("dInVoIc2", "Invoice", lambda day: invoices(day) + claims(day) // 5),
            Scope("dPaSsPo3", "Passport", lambda day: onboarding(day) // 2),
        ),
    )


def _new_zealand(now: datetime) -> Group:
    """A plan with a booster pack, and in a subgroup a plan that expires soon."""
    started = midnight(now.date()) - 140 * DAY
    expiry = now.replace(microsecond=0) + 3 * DAY
    in_a_year = started + 365 * DAY
    yearly = Plan(7101, "Yearly 2", 4900, "NZD", 0, 0, started, in_a_year)
    pack = Plan(7301, "Booster 2000", 180, "NZD", 2000, 640, started, in_a_year)
    monthly = Plan(7102, "Monthly 1", 390, "AUD", 0, 0, expiry - 30 * DAY, expiry)
    branch = Group(4102, "Acme Freight Australia", plans=(_in_use(monthly, 0.7, 5 * DAY),))
    plans = (_in_use(yearly, 0.8),)
    return Group(4101, "Acme Freight", "demo-key-4-not-real", plans, (pack,), (branch,))


def _pacific(now: datetime) -> Group:
    """A plan with 3 % left, weeks before it ends."""
    start = midnight(now.date()) - 40 * DAY
    used = cumulative_usage(weekday_usage("pacific", 160), start)
    allowed = ceil(used(now) / 0.97)
    plan = Plan(7201, "Quarterly 1", 1150, "NZD", allowed, used, start, start + 91 * DAY)
    return Group(4201, "Acme Pacific", "demo-key-5-not-real", (plan,))


def _in_use(plan: Plan, share: float, lapsed: timedelta = timedelta(0)) -> Plan:
    """The plan, sized so that `share` of it is used when it expires, with its previous period.

    Without a lapse between the two, the plan is one that renews itself.
    """
    used = cumulative_usage(weekday_usage(plan.name, 95), plan.start)
    allowed = _rounded_up(used(plan.expiry) / share, 100)
    before = replace(
        plan,
        allowed=allowed,
        used=allowed * 9 // 10,
        start=plan.start - lapsed - (plan.expiry - plan.start),
        expiry=plan.start - lapsed,
    )
    return replace(plan, allowed=allowed, used=used, history=(before,))


def _running_out(accounts: Accounts, usage: Usage) -> int:
    """A monthly allowance that runs out before the month ends, on any day of the month.

    The usage of two days is left, or, if that is less, half of the usage until the end of the
    month, actual or expected: so the exporter's own estimate has it run out too.
    """
    now = accounts.now()
    today = now.date()
    first, last = _month(today)
    used_today = accounts.credits(usage, today, now)
    used = _sum(usage, first, today - DAY) + used_today
    remaining = _sum(usage, today, last) - used_today
    expected = max(_expected(usage, today, today) - used_today, 0) + sum(
        _expected(usage, day, today) for day in days_between(today + DAY, last)
    )
    two_days = _sum(usage, today - 28 * DAY, today - DAY) / 14
    return max(used + int(min(two_days, remaining / 2, expected / 2)), 1)


def _expected(usage: Usage, day: date, today: date) -> float:
    """The mean of the same weekday over the four weeks before `today`."""
    weeks = (day - today).days // 7 + 1
    return sum(credits_of_day(usage, day - (weeks + week) * 7 * DAY) for week in range(4)) / 4


def _sum(usage: Usage, first: date, last: date) -> int:
    return sum(credits_of_day(usage, day) for day in days_between(first, last))


def _month(day: date) -> tuple[date, date]:
    """The first and the last day of the day's month."""
    return day.replace(day=1), next_month(day) - DAY


def _rounded_up(value: float, step: int) -> int:
    return ceil(value / step) * step


_CONFIG: Final = """\
# The demo's configuration: it polls simulated vendor APIs on this machine with made-up keys.
# Without `base_url`, with your own identifiers and keys and an `interval` of minutes, it is a
# configuration for the real APIs.
poll: {{interval: 15s}}

targets:
  # Plenty of a monthly allowance is left; usage by workspace and document type.
  - name: acme-eu
    vendor: affinda
    base_url: {base_url}
    organization: eUrAcMe1
    api_key: demo-key-1-not-real
    workspaces: all
    document_types: all
    allowance: {{credits: {europe_credits}, period: month, price_per_credit: 0.05, currency: EUR}}

  # Little is left: it will run out before the month ends.
  - name: acme-us
    vendor: affinda
    base_url: {base_url}
    organization: uSaAcMe2
    api_key: demo-key-2-not-real
    allowance: {{credits: {america_credits}, period: month, price_per_credit: 0.06, currency: USD}}

  # Credits purchased in advance for a year.
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

  # Two groups, billed in NZD and AUD: the first has a plan that renews itself, and a booster
  # pack; the plan of the second expires in three days.
  - name: acme-nz
    vendor: xtracta
    base_url: {base_url}
    api_key: demo-key-4-not-real
    groups: all

  # A plan that is nearly used up weeks before it ends.
  - name: acme-pacific
    vendor: xtracta
    base_url: {base_url}
    api_key: demo-key-5-not-real

  # The vendor rejects this key: an example of a failing target.
  - name: acme-legacy
    vendor: affinda
    base_url: {base_url}
    organization: eUrAcMe1
    api_key: demo-key-6-revoked
"""
