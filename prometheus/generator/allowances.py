"""What is left of allowances, and when they run out or end.

Thresholds come from the exporter's configuration (docusage_allowance_threshold_ratio), so no rule
needs an edit for a target. While a target or its exporter has no figures, the last ones count.
"""

from __future__ import annotations

from typing import Final

from prometheus.generator.promql import CURRENT, CURRENT_EXPR, DAY, allowance_last, last
from prometheus.generator.rules import Alert, Group, Record
from prometheus.generator.text import Figure, Sentence, Text

_RATIO: Final = last("available_ratio")
_ALLOWED: Final = last("allowed")
_RUNS_OUT: Final = last("exhaustion_timestamp_seconds")
_ENDS: Final = last("end_timestamp_seconds")
_PROJECTED: Final = last("projected_used_ratio")
_INFO: Final = last("info")
_WEEK: Final = "allowance:docusage_allowance_exhaustion_timestamp_seconds:avg7d"
_RUNS_OUT_WEEK: Final = f"last_over_time({_WEEK}[15m])"
_RENEWING: Final = "last_over_time(allowance:docusage_allowance_renewing[15m])"
_COVERED: Final = "last_over_time(allowance:docusage_allowance_covered[15m])"
_NAMES: Final = "ignoring (account_name, allowance_name, unit)"
_OVERVIEW: Final = "docusage-overview"
_METRICS: Final = (
    ("docusage_allowance_available_ratio",),
    ("docusage_allowance_threshold_ratio", "severity"),
    ("docusage_allowance_allowed",),
    ("docusage_allowance_used",),
    ("docusage_allowance_exhaustion_timestamp_seconds",),
    ("docusage_allowance_exhaustion_earliest_timestamp_seconds",),
    ("docusage_allowance_exhaustion_latest_timestamp_seconds",),
    ("docusage_allowance_end_timestamp_seconds",),
    ("docusage_allowance_projected_used_ratio",),
    ("docusage_allowance_renews",),
    ("docusage_allowance_info", "account_name", "allowance_name", "unit"),
)


def _known(name: str) -> str:
    """The last value of a series with the labels of the alert."""
    return last(name).replace("[15m]", "{$series}[15m]")


def _named() -> str:
    matchers = '{$series account_name!="",allowance_name!=""}'
    return last("info").replace("[15m]", f"{matchers}[15m]")


_FIGURES: Final = {
    "name": Figure(_named()),
    "info": Figure(_known("info")),
    "left": Figure(f"clamp_min({_known('allowed')} - {_known('used')}, 0)"),
    "allowed": Figure(_known("allowed")),
    "ratio": Figure(_known("available_ratio"), "percent"),
    "out": Figure(_known("exhaustion_timestamp_seconds"), "date"),
    "earliest": Figure(_known("exhaustion_earliest_timestamp_seconds"), "date"),
    "latest": Figure(_known("exhaustion_latest_timestamp_seconds"), "date"),
    "end": Figure(_known("end_timestamp_seconds"), "date"),
    "early": Figure(
        f"({_known('end_timestamp_seconds')} - {_known('exhaustion_timestamp_seconds')}) > 0",
        "duration",
    ),
    "short": Figure(
        f"({_known('projected_used_ratio')} - 1) * {_known('allowed')} > 0",
    ),
    "unused": Figure(
        f"(1 - {_known('projected_used_ratio')}) * {_known('allowed')} > 0",
    ),
    "projected": Figure(_known("projected_used_ratio"), "percent"),
    "before": Figure(_known("allowed").replace("[15m]", "[15m] offset 1d")),
}
_WHO: Final = Sentence(
    "<name.account_name>, <name.allowance_name> (target {{ $labels.target }}):",
    otherwise="{{ $labels.target }}, {{ $labels.account }} / {{ $labels.allowance }}:",
)
_LEFT: Final = Sentence(
    "<left> of <allowed> <info.unit> are left (<ratio>).", otherwise=Sentence("<ratio> is left.")
)
_OUT: Final = Sentence("At the current rate it runs out on <out>.")
_RANGE: Final = Sentence("Likely between <earliest> and <latest>.")
_EARLY: Final = Sentence("That is <early> before the period ends, on <end>.")
_SHORT: Final = Sentence("About <short> <info.unit> will be missing by then.")
_UNUSED: Final = Sentence("At the current rate about <unused> <info.unit> lapse unused.")
_BUY: Final = "Buy more, or slow down what can wait."


def _text(*sentences: Sentence | str) -> Text:
    return Text(_WHO, *sentences, figures=_FIGURES)


_RUN_OUT_TEXT: Final = _text(_LEFT, _OUT, _RANGE, _EARLY, _SHORT, _BUY)


def _runs_out_within(days: int) -> str:
    """By the present estimate, and not in the past."""
    return f"""\
(
  {_RUNS_OUT} - time() > 0
  and
  {_RUNS_OUT} - time() < {days * DAY}
)"""


def _with_unit(expression: str) -> str:
    return f"""\
(
  ({expression}) * {_NAMES} group_left (unit) {_INFO}
  or
  ({expression}) unless {_NAMES} {_INFO}
)"""


RECORDS: Final = (
    Record(
        record=CURRENT,
        comment="""
            Targets of which every allowance is exposed: those that answer, and those that were
            removed from the configuration. Last values are for all others.
        """,
        expr=CURRENT_EXPR,
    ),
    *(
        Record(
            record=f"allowance:{metric}:last",
            comment="The value, or the last one while the target or its exporter has none.",
            expr=allowance_last(metric, *labels),
        )
        for metric, *labels in _METRICS
    ),
    Record(
        record=_WEEK,
        comment="""
            The estimate over a week: one that rests on a total alone comes nearer until Friday and
            moves away until Monday, every week.
        """,
        expr="avg_over_time(allowance:docusage_allowance_exhaustion_timestamp_seconds:last[7d])",
    ),
    Record(
        record="allowance:docusage_allowance_renewing",
        comment="""
            Allowances that renew themselves: the exporter reports it, or the end has moved on
            within a month or a quarter.
        """,
        expr=f"""\
{last("renews")} == 1
or
{_ENDS} > {last("end_timestamp_seconds", " offset 32d")}
or
{_ENDS} > {last("end_timestamp_seconds", " offset 93d")}""",
    ),
    Record(
        record="allowance:docusage_allowance_covered",
        comment="""
            Allowances of accounts that have another one of the same unit in force, such as a plan
            next to a used up pack.
        """,
        expr=f"""\
max without (unit) (
  {_with_unit(_RATIO)}
  and ignoring (allowance)
  max without (allowance) (
    {_with_unit(f"{_RATIO} > 0 unless {_ENDS} <= time()")}
  )
)""",
    ),
)

ALERTS: Final = (
    Alert(
        alert="DocusageAllowanceLow",
        comment="""
            One rule for warning and critical: the threshold's own label has the severity. Silent
            where what is left lasts until the period ends, by the present estimate and the week's,
            or by the projected use.
        """,
        expr=f"""\
(
  ({_RATIO} > 0)
  < ignoring (severity) group_right ()
  {last("threshold_ratio")}
)
unless ignoring (severity) (
  {_RUNS_OUT} >= {_ENDS}
  and
  {_RUNS_OUT_WEEK} >= {_ENDS}
)
unless ignoring (severity)
{_PROJECTED} <= 1""",
        duration="10m",
        severity=None,
        summary="An allowance is low and does not last.",
        text=_RUN_OUT_TEXT,
        board=_OVERVIEW,
        panel="Allowances",
    ),
    *(
        Alert(
            alert="DocusageAllowanceExhausted",
            comment=comment,
            expr=f"""\
{_RATIO} == 0
and
{_ALLOWED} > 0
{condition} {_COVERED}""",
            duration="5m",
            severity=severity,
            summary=summary,
            text=_text("nothing is left.", Sentence("All <allowed> <info.unit> are used."), remedy),
            board=_OVERVIEW,
            panel="Allowances",
        )
        for severity, condition, summary, remedy, comment in (
            (
                "critical",
                "unless",
                "An allowance is used up.",
                "The vendor may refuse documents or charge extra. Buy more now.",
                "An allowance of 0 was never purchased, and is not used up.",
            ),
            (
                "info",
                "and",
                "An allowance is used up; its account has another.",
                "The account has another allowance of the same kind, so nothing stops.",
                "Such as a pack that is used up while its plan lasts.",
            ),
        )
    ),
    Alert(
        alert="DocusageAllowanceRunsOutEarly",
        comment="""
            Within 14 days and six hours or more before the period ends, by the week's estimate: a
            run-out within hours of a renewal changes sides with each estimate. The present
            estimate may be a few days later, no more: once more is purchased, the alert ends.
        """,
        expr=f"""\
{_runs_out_within(21)}
and
{_RUNS_OUT_WEEK} - time() < {14 * DAY}
unless
{_RUNS_OUT_WEEK} >= {_ENDS} - {DAY // 4}
unless
{_RUNS_OUT} >= {_ENDS} + {3 * DAY}""",
        duration="12h",
        severity="warning",
        summary="An allowance will run out before its period ends.",
        text=_RUN_OUT_TEXT,
        board=_OVERVIEW,
        panel="Allowances",
    ),
    Alert(
        alert="DocusageAllowanceRunsOutSoon",
        comment="By the present estimate alone: the week's is slow to follow a sudden change.",
        expr=f"""\
{_runs_out_within(5)}
unless
{_RUNS_OUT} >= {_ENDS} - {DAY}""",
        duration="1h",
        severity="critical",
        summary="An allowance will run out within five days.",
        text=_RUN_OUT_TEXT,
        board=_OVERVIEW,
        panel="Allowances",
    ),
    Alert(
        alert="DocusageAllowanceOverrun",
        comment="By a tenth or more of the allowance, however far off the end is.",
        expr=f"{_PROJECTED} > 1.1 and {_RATIO} > 0",
        duration="1d",
        severity="info",
        summary="More than the allowance will be used by the end of its period.",
        text=_text(
            Sentence(
                "at the current rate <value> of the allowance will be used by <end>.",
                value="percent",
                otherwise="at the current rate more than the allowance will be used.",
            ),
            _SHORT,
            _OUT,
            "Plan the purchase.",
        ),
        board=_OVERVIEW,
        panel="Allowances",
    ),
    Alert(
        alert="DocusageAllowanceLapses",
        comment="A tenth or more, within 30 days, of what does not renew itself.",
        expr=f"""\
(
  1 - {_PROJECTED} > 0.1
)
and {_ENDS} - time() > 0
and {_ENDS} - time() < {30 * DAY}
unless {_RENEWING}""",
        duration="1d",
        severity="info",
        summary="Part of an allowance will lapse unused.",
        text=_text(_LEFT, Sentence("It ends on <end>."), _UNUSED, "Buy less next time."),
        board=_OVERVIEW,
        panel="Allowances",
    ),
    Alert(
        alert="DocusagePlanExpiring",
        expr=f"""\
{_ENDS} - time() >= 0
and
{_ENDS} - time() < {7 * DAY}
unless
{_RENEWING}""",
        duration="1h",
        severity="warning",
        summary="A plan, pack or prepayment ends within a week.",
        text=_text(
            Sentence("it ends on <end>, in <value>.", value="duration"),
            _LEFT,
            _UNUSED,
            "Renew it, or use up what is left.",
        ),
        board=_OVERVIEW,
        panel="Allowances",
    ),
    Alert(
        alert="DocusagePlanExpired",
        comment="A renewal may take a day: a vendor's day may begin long after UTC's.",
        expr=f"""\
(
  time() - {_ENDS} > 0
  unless
  (time() - {_ENDS} <= {DAY} and {_RENEWING})
)
unless
{_COVERED}""",
        duration="1h",
        severity="critical",
        summary="A plan or prepayment has ended and was not renewed.",
        text=_text(
            Sentence(
                "it ended on <end>, <value> ago, and the vendor reports none after it.",
                value="duration",
            ),
            "The vendor may refuse documents or charge extra. Renew it now.",
        ),
        board=_OVERVIEW,
        panel="Allowances",
    ),
    Alert(
        alert="DocusageAllowanceChanged",
        comment="For a day.",
        expr=f"{_ALLOWED} != {last('allowed', ' offset 1d')}",
        severity="info",
        summary="The size of an allowance has changed.",
        text=_text(
            Sentence(
                "the allowance is now <value> <info.unit>; a day ago it was <before>.",
                otherwise="the allowance is now <value>.",
            ),
            "Check that the change was intended.",
        ),
        board=_OVERVIEW,
        panel="Allowances",
    ),
)

GROUP: Final = Group(
    name="docusage-allowances",
    interval="5m",
    comment=(__doc__ or ""),
    rules=(*RECORDS, *ALERTS),
)
