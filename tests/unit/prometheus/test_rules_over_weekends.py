"""The run-out alert over a quarter of weekdays and weekends, judged by Prometheus itself."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml
from programs import program

from exporter.demo.accounts import business_hours, weekday_usage
from exporter.forecast import history_of_total, with_forecast
from exporter.model import Allowance, UsageHistory
from exporter.usage_pace import HISTORY_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RULES = Path(__file__).parent.parent.parent.parent / "prometheus" / "rules" / "allowances.yml"
THURSDAY = date(2025, 8, 7)  # promtool's time begins on a Thursday as well
ONE_DAY = timedelta(days=1)
WEEKS = 13
STEP = timedelta(hours=3)
METRIC = "docusage_allowance_{}_timestamp_seconds"
FIRING = 'ALERTS{alertname="DocusageAllowanceRunsOutEarly", alertstate="firing"}'
ENDED_OVER_THE_WEEKEND = f"""
count(
  {FIRING} offset 3d
  unless {FIRING} offset 4d
  unless {FIRING}
  and on (target) {METRIC.format("exhaustion")}
  and on (target) {METRIC.format("end")} == {METRIC.format("end")} offset 3d
)
"""
"""On a Monday night: began to fire on Friday, does not fire any more, and neither a renewal nor
the last document ended it."""


class Figures(NamedTuple):
    """What the exporter exposes at one moment, in seconds since the Thursday."""

    exhaustion: float | None
    end: float


def seconds(day: date) -> float:
    return (day - THURSDAY).total_seconds()


def midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def moments() -> Iterator[datetime]:
    moment = datetime(THURSDAY.year, THURSDAY.month, THURSDAY.day, tzinfo=UTC)
    for step in range(WEEKS * 7 * ONE_DAY // STEP):
        yield moment + step * STEP


class Plan:
    """A plan of 30 days, renewed again and again, of which a share would do.

    Args:
        usage: of each day.
        share: what is purchased, as a part of what each period takes.
        by_weekdays: whether the exporter knows the days, or the plan's total alone.
    """

    def __init__(self, usage: Callable[[date], int], share: float, *, by_weekdays: bool) -> None:
        self._of_day = cache(usage)
        self._allowed = cache(lambda first: int(share * self._sum(first, first + 30 * ONE_DAY)))
        self._by_weekdays = by_weekdays

    def _sum(self, first: date, after: date) -> int:
        return sum(self._of_day(first + day * ONE_DAY) for day in range((after - first).days))

    def figures(self, moment: datetime) -> Figures:
        today = moment.date()
        first = today - (today - date(2025, 1, 1)) % (30 * ONE_DAY)
        used_today = int(self._of_day(today) * business_hours(moment))
        used = self._sum(first, today) + used_today
        end, left = seconds(first + 30 * ONE_DAY), self._allowed(first) - used
        if left <= 0:
            return Figures(None, end)
        plan = Allowance("", "", used + left, used, left, "", start=midnight(first))
        usage = history_of_total(plan, moment.timestamp(), ())
        if self._by_weekdays:
            days = [self._of_day(today - day * ONE_DAY) for day in range(HISTORY_DAYS, 0, -1)]
            usage = UsageHistory(moment.timestamp(), midnight(today), used_today, days)
        exhaustion = with_forecast(plan, usage).exhaustion
        return Figures(exhaustion and exhaustion - midnight(THURSDAY), end)


def plans() -> Iterator[Plan]:
    """Plans that last and plans that do not, most of them a close thing."""
    for number, share in enumerate((0.7, 0.85, 0.92, 0.96, 0.99, 1.02, 1.05, 1.1)):
        usage = weekday_usage(f"weekend/{number}", 160, growth=(number % 3) * 0.2)
        for by_weekdays in (True, False):
            yield Plan(usage, share, by_weekdays=by_weekdays)


def series() -> Iterator[dict[str, str]]:
    for number, plan in enumerate(plans()):
        figures = [plan.figures(moment) for moment in moments()]
        labels = f'{{job="docusage", instance="a", target="{number}"}}'
        ends = " ".join(f"{figure.end:.0f}" for figure in figures)
        outs = " ".join(
            "_" if figure.exhaustion is None else f"{figure.exhaustion:.0f}" for figure in figures
        )
        yield {"series": METRIC.format("end") + labels, "values": ends}
        yield {"series": METRIC.format("exhaustion") + labels, "values": outs}
        yield {"series": "docusage_target_up" + labels, "values": f"1x{len(figures)}"}


def cases(rules: Path) -> str:
    """A test for promtool: on each Monday night, no alert has come and gone over the weekend."""
    questions = [
        {"eval_time": f"{week * 168 + 4 * 24 + 21}h", "expr": ENDED_OVER_THE_WEEKEND}
        for week in range(1, WEEKS)
    ]
    some = {"eval_time": f"{WEEKS * 168 - 3}h", "exp_samples": [{"labels": "{}", "value": 11}]}
    some["expr"] = f"count(count by (target) (count_over_time({FIRING}[{WEEKS}w])))"
    every = "3h"
    return yaml.safe_dump(
        {
            "rule_files": [str(rules)],
            "evaluation_interval": every,
            "tests": [
                {
                    "interval": every,
                    "input_series": list(series()),
                    "promql_expr_test": [*questions, some],
                }
            ],
        },
        width=10**9,
    )


def output_of_promtool(folder: Path, rules: Path) -> str:
    path = folder / "cases.yml"
    path.write_text(cases(rules))
    command = [program("promtool"), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603  ours
    return done.stdout + done.stderr


@pytest.mark.e2e
def test_no_run_out_alert_begins_on_a_friday_and_ends_by_monday(tmp_path: Path) -> None:
    assert "SUCCESS" in output_of_promtool(tmp_path, RULES)


@pytest.mark.e2e
def test_an_alert_on_the_estimate_of_the_moment_would(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    head, alert, rest = RULES.read_text().partition("- alert: DocusageAllowanceRunsOutEarly")
    rules.write_text(head + alert + rest.replace(":avg7d", ":last"))
    output = output_of_promtool(tmp_path, rules)
    assert "exp: nil" in output
