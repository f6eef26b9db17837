"""Whether the use of an account is unusual, against the same weekdays of the weeks before.

Usual is the upper quartile over up to four weeks, at the same weekday and time of day, so that a
holiday or two among them does not make an ordinary day look busy. With less than a week of history
these alerts stay silent. They read the vendors' metrics of the past, which a backfill provides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus.generator.promql import FOR_BOARDS, last, merged
from prometheus.generator.rules import Alert, Group, Record
from prometheus.generator.text import Figure, Sentence, Text

if TYPE_CHECKING:
    from collections.abc import Callable

_WEEKS: Final = (1, 2, 3, 4)
_AFFINDA: Final = "docusage-affinda"
_USED: Final = "docusage_allowance_used"
_DAILY: Final = "affinda_credits_daily"
_OTHERS: Final = f"unless ignoring (account, allowance) {merged(_DAILY, 'organization')}"
_PERIODS: Final = (3, 5)
"""Days without any use: three at the beginning of a week, five with a weekend among them."""


def _account(expression: str) -> str:
    """With the label `account` in place of Affinda's own."""
    return merged(
        f'label_replace({expression}, "account", "$1", "organization", "(.+)")', "organization"
    )


def _difference(days: int, before: int = 0) -> str:
    """What other vendors' allowances used in so many days; nothing across a renewal."""
    now, then = (
        merged(_USED + (f" offset {ago}d" if ago else ""), "vendor")
        for ago in (before, before + days)
    )
    return f"({now} - {then} >= 0)"


def _complete_days(days: int, before: int = 0) -> str:
    """Affinda's credits on so many complete days, the last one so many days ago."""
    metric = "affinda_credits_previous_day"
    offsets = (before + day for day in range(days))
    return " + ".join(metric + (f" offset {ago}d" if ago else "") for ago in offsets)


def _usual(of_week: Callable[[int], str]) -> str:
    weeks = "\n  or\n  ".join(
        f'label_replace({of_week(week)}, "week", "{week}", "", "")' for week in _WEEKS
    )
    return f"quantile without (week) (0.75,\n  {weeks}\n)"


def _usual_of_both(affinda: Callable[[int], str], others: Callable[[int], str]) -> str:
    return f"{_usual(lambda week: _account(affinda(week)))}\nor\n{_usual(others)} {_OTHERS}"


RECORDS: Final = (
    *(
        Record(
            record=recorded,
            comment="For the dashboards, which would read each scrape of many days otherwise.",
            expr=merged(metric),
        )
        for metric, recorded in FOR_BOARDS.items()
        if recorded.endswith(":max")
    ),
    Record(
        record="account:docusage_used:1d",
        comment="Affinda: credits on the vendor's current day. Others: in the last 24 hours.",
        expr=f"{_account(_DAILY)}\nor\n{_difference(1)} {_OTHERS}",
    ),
    Record(
        record="account:docusage_used_usual:1d",
        comment="The same on this weekday by this time.",
        expr=_usual_of_both(
            lambda week: f"{_DAILY} offset {week}w", lambda week: _difference(1, 7 * week)
        ),
    ),
    Record(
        record="account:docusage_used_mean:1d",
        comment="Mean use per day.",
        expr=f"""\
{_account("affinda_credits_last_30_days / 30")}
or
{merged("docusage_allowance_burn_per_day", "vendor")} {_OTHERS}""",
    ),
    *(
        Record(
            record=f"account:docusage_used:{days}d",
            comment=f"Use in {days} days: for Affinda complete ones and the current day.",
            expr=f"""\
{_account(f"{_DAILY} + {_complete_days(days)}")}
or
{_difference(days)} {_OTHERS}""",
        )
        for days in _PERIODS
    ),
    *(
        Record(
            record=f"account:docusage_used_usual:{days}d",
            comment="The same in the weeks before.",
            expr=_usual_of_both(
                lambda week, days=days: _complete_days(days, 7 * week),  # type: ignore[misc]
                lambda week, days=days: _difference(days, 7 * week),  # type: ignore[misc]
            ),
        )
        for days in _PERIODS
    ),
)


def _recorded(name: str) -> str:
    return f"last_over_time(account:docusage_{name}[15m])"


def _stopped(days: int) -> str:
    return f"""\
{_recorded(f"used_usual:{days}d")} > 3.4 * {_recorded("used_mean:1d")}
and
{_recorded(f"used:{days}d")} == 0"""


_USED_UP: Final = f"max without (vendor, allowance) ({last('available_ratio')}) == 0"
_ACCOUNT: Final = {
    "name": Figure(
        'last_over_time(allowance:docusage_allowance_info:last{$series account_name!=""}[15m])'
    ),
}
_WHO: Final = Sentence(
    "<name.account_name> (target {{ $labels.target }})",
    otherwise="Account {{ $labels.account }} (target {{ $labels.target }})",
)
_WORKSPACE_DAY: Final = "affinda_workspace_credits_previous_day"
_SHARE: Final = f"""\
{merged(_WORKSPACE_DAY)}
> ignoring (workspace) group_left ()
0.1 * {merged("affinda_credits_previous_day")}"""
_WORKSPACE: Final = {
    "name": Figure("affinda_workspace_info{$series}"),
}
_WORKSPACE_NAME: Final = Sentence(
    "Workspace <name.workspace_name> (target {{ $labels.target }})",
    otherwise="Workspace {{ $labels.workspace }} (target {{ $labels.target }})",
)

ALERTS: Final = (
    Alert(
        alert="DocusageUsageSpike",
        comment="""
            Twice the usual, and more than a mean day. `for` outlasts the time after midnight in
            which a poll has yet to see the new day.
        """,
        expr=f"""\
{_recorded("used:1d")} / {_recorded("used_usual:1d")} > 2
and
{_recorded("used:1d")} > {_recorded("used_mean:1d")}""",
        duration="1h",
        severity="warning",
        summary="An account uses far more than usual.",
        text=Text(
            _WHO,
            Sentence(
                "has used <value> times what it usually uses by this time of this weekday: <used>"
                " instead of <usual>.",
                value="decimal",
                otherwise="has used far more than usual by this time of this weekday.",
            ),
            "Find out who sends documents, and whether the allowance lasts.",
            figures={
                **_ACCOUNT,
                "used": Figure(_recorded("used:1d").replace("[15m]", "{$series}[15m]")),
                "usual": Figure(_recorded("used_usual:1d").replace("[15m]", "{$series}[15m]")),
            },
        ),
        board="docusage-overview",
        panel="Use per day",
    ),
    Alert(
        alert="DocusageUsageStopped",
        comment="""
            Nothing on days that usually see more than two ordinary working days' use, so that two
            public holidays are no alert. An account that is used up has its own.
        """,
        expr="(\n"
        + "\nor\n".join(f"{_recorded('used_mean:1d')} and ({_stopped(days)})" for days in _PERIODS)
        + f"\n)\nunless ignoring (allowance) ({_USED_UP})",
        duration="1h",
        severity="warning",
        summary="An account that is usually in use is no longer used.",
        text=Text(
            _WHO,
            Sentence("has used nothing for three days or more; <value> a day is usual."),
            "Check that documents still reach the vendor.",
            figures=_ACCOUNT,
        ),
        board="docusage-overview",
        panel="Use per day",
    ),
    Alert(
        alert="DocusageWorkspaceSpike",
        comment="Three times the usual of the weekday, and a tenth or more of the organization.",
        expr=f"""\
({merged(_WORKSPACE_DAY)} > 3 * {_usual(lambda week: merged(f"{_WORKSPACE_DAY} offset {week}w"))})
and
(
{_SHARE}
)""",
        duration="1h",
        severity="info",
        summary="A workspace used far more than usual yesterday.",
        text=Text(
            _WORKSPACE_NAME,
            Sentence("used <value> credits on the last complete day, over three times the usual."),
            figures=_WORKSPACE,
        ),
        board=_AFFINDA,
        panel="Workspaces",
    ),
    Alert(
        alert="DocusageWorkspaceNew",
        comment="""
            In use, and unknown a day, two days and a week ago, when the organization was known.
        """,
        expr=f"""\
{merged("affinda_workspace_credits_last_7_days")} > 0
unless {merged("affinda_workspace_credits_last_7_days offset 1d")}
unless {merged("affinda_workspace_credits_last_7_days offset 2d")}
unless {merged("affinda_workspace_credits_last_7_days offset 1w")}
and ignoring (workspace) {merged("affinda_credits_last_7_days offset 1d")}
and ignoring (workspace)
count without (workspace) ({merged("affinda_workspace_credits_last_7_days offset 1d")})""",
        severity="info",
        summary="A workspace is new.",
        text=Text(
            _WORKSPACE_NAME,
            Sentence("is new and has used <value> credits. Check that it has an owner."),
            figures=_WORKSPACE,
        ),
        board=_AFFINDA,
        panel="Workspaces",
    ),
    Alert(
        alert="DocusagePriceChanged",
        comment="For a day.",
        expr="\nor\n".join(
            f"{merged(metric)} != {merged(f'{metric} offset 1d')}"
            for metric in ("affinda_credit_price", "xtracta_plan_price", "xtracta_pack_price")
        ),
        severity="info",
        summary="A price has changed.",
        text=Text(
            Sentence(
                "A price of target {{ $labels.target }} is now {{ $labels.currency }} <value>."
                " Check it against the contract.",
                value="price",
            )
        ),
        board="docusage-overview",
        panel="Cost",
    ),
)

GROUP: Final = Group(
    name="docusage-usage",
    interval="5m",
    comment=(__doc__ or ""),
    rules=(*RECORDS, *ALERTS),
)
