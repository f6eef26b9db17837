"""The spool of a backfill: sample times, the output, and what the next run reuses."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from backfill_options import some_options
from fake_targets import ALLOWANCE, CREDITS_TODAY, target
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.backfill.spool import OutputSize, Spool, append, sample_times
from exporter.model import HistoricalResult, PollResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prometheus_client import Metric

    from exporter.backfill.options import (
        BackfillOptions,
    )


DAY = 86_400
MARCH_9 = 1_773_014_400


def test_samples_are_at_the_end_of_each_step() -> None:
    times = sample_times(MARCH_9, MARCH_9 + DAY, 6 * 3600)
    assert [moment - MARCH_9 for moment in times] == [21_599, 43_199, 64_799, 86_399]


def test_a_span_that_ends_within_a_step_has_a_sample_at_its_end() -> None:
    times = sample_times(MARCH_9 + 100, MARCH_9 + 7000, 3600)
    assert [moment - MARCH_9 for moment in times] == [3599, 6999]


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from([60, 300, 3600, DAY]))
def test_no_time_in_a_span_is_a_step_away_from_a_sample(
    begin: int, length: int, every: int
) -> None:
    times = sample_times(begin, begin + length, every)
    assert times == sorted(set(times))
    assert times[0] < begin + every
    assert begin <= times[0]
    assert times[-1] == begin + length - 1
    assert all(later - earlier <= every for earlier, later in pairwise(times))


def written(wanted: BackfillOptions, *historical_results: list[HistoricalResult]) -> str:
    spool = Spool(wanted)
    for each in wanted.targets:
        with spool.open(each) as folder:
            for part in historical_results:
                append(folder, each, part)
    spool.write_out()
    return wanted.output.read_text(encoding="utf-8")


def families_of(text: str) -> list[Metric]:
    """What a strict reader finds; it refuses a metric in two places and times out of order."""
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # it has no types


def daily(value: int, begin: float, end: float) -> HistoricalResult:
    return HistoricalResult(begin, end, PollResult((CREDITS_TODAY._replace(value=value),)))


def test_the_output_has_each_metric_once_with_the_labels_added(tmp_path: Path) -> None:
    wanted = some_options(tmp_path, target("a"), target("b"), step=DAY, labels='job="x"')
    days_ = [daily(day, MARCH_9 + day * DAY, MARCH_9 + (day + 1) * DAY) for day in range(2)]
    head, kind, *lines = written(wanted, days_).splitlines()
    assert head.startswith("# HELP affinda_credits_daily Credits ")
    assert kind == "# TYPE affinda_credits_daily gauge"
    assert lines == [
        'affinda_credits_daily{target="a",organization="org",job="x"} 0 1773100799',
        'affinda_credits_daily{target="a",organization="org",job="x"} 1 1773187199',
        'affinda_credits_daily{target="b",organization="org",job="x"} 0 1773100799',
        'affinda_credits_daily{target="b",organization="org",job="x"} 1 1773187199',
        "# EOF",
    ]


def test_the_metrics_of_an_allowance_are_written_too(tmp_path: Path) -> None:
    text = written(
        some_options(tmp_path, target("a"), step=DAY),
        [HistoricalResult(MARCH_9, MARCH_9 + DAY, PollResult((), (ALLOWANCE,)))],
    )
    labels_ = 'target="a",vendor="acme",account="org",allowance="credits"'
    assert f"docusage_allowance_available_ratio{{{labels_}}} 0.3 1773100799\n" in text
    assert f'threshold_ratio{{{labels_},severity="critical"}} 0.05 1773100799\n' in text


def test_an_empty_span_is_not_written(tmp_path: Path) -> None:
    assert written(some_options(tmp_path, target("a")), [daily(1, MARCH_9, MARCH_9)]) == "# EOF\n"


def test_samples_of_a_series_stay_together_in_order_of_time(tmp_path: Path) -> None:
    wanted = some_options(tmp_path, target('a "b"\\'), target("b"), step=6 * 3600, labels='job="x"')
    poll_result = PollResult((CREDITS_TODAY,), (ALLOWANCE, replace(ALLOWANCE, allowance="more")))
    text = written(
        wanted,
        [
            HistoricalResult(MARCH_9 + day * DAY, MARCH_9 + (day + 1) * DAY, poll_result)
            for day in range(3)
        ],
    )
    families = families_of(text)
    assert len({family.name for family in families}) == len(families) == 13
    counted = {family.name: len(family.samples) for family in families}
    # Two targets, twelve samples a series, and of a threshold four series for each target.
    assert counted["affinda_credits_daily"] == 2 * 12
    assert counted["docusage_allowance_threshold_ratio"] == 2 * 12 * 4
    assert {sample.labels["target"] for family in families for sample in family.samples} == {
        'a "b"\\',
        "b",
    }


def test_a_complete_spool_is_reused_and_deleted_after_the_output_is_written(tmp_path: Path) -> None:
    wanted = some_options(tmp_path, target("a"), target("b"))
    with Spool(wanted).open(target("a")) as folder:
        append(folder, target("a"), [daily(1, MARCH_9, MARCH_9 + DAY)])
    again = Spool(wanted)
    assert again.has(target("a"))
    assert not again.has(target("b"))
    with again.open(target("b")):
        pass
    assert again.write_out() == OutputSize(1, 24)
    assert [path.name for path in tmp_path.iterdir()] == ["history.om"]


@pytest.mark.parametrize(
    "change", [{"first": date(2026, 3, 8)}, {"last": date(2026, 3, 9)}], ids=str
)
def test_a_spool_of_other_days_is_not_reused(tmp_path: Path, change: Mapping[str, object]) -> None:
    with Spool(some_options(tmp_path, target("a"))).open(target("a")):
        pass
    assert not Spool(some_options(tmp_path, target("a"), **change)).has(target("a"))


def test_a_spool_of_a_changed_target_is_not_reused(tmp_path: Path) -> None:
    wanted = some_options(tmp_path, target("a"))
    with Spool(wanted).open(target("a")):
        pass
    assert not Spool(wanted).has(target("a", alerts={"warning_ratio": 0.5}))


def test_an_interrupted_spool_is_not_reused(tmp_path: Path) -> None:
    wanted = some_options(tmp_path, target("a"))
    spool = Spool(wanted)
    with suppress(KeyboardInterrupt), spool.open(target("a")) as folder:
        append(folder, target("a"), [daily(1, MARCH_9, MARCH_9 + DAY)])
        raise KeyboardInterrupt
    assert not spool.has(target("a"))
    text = written(wanted, [daily(2, MARCH_9, MARCH_9 + DAY)])
    assert 'organization="org"} 2 ' in text
    assert 'organization="org"} 1 ' not in text
