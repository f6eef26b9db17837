from __future__ import annotations

import asyncio
import io
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_targets import ALLOWANCE, CREDITS_TODAY, target
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from virtual_time import elapsed, in_virtual_time

from exporter.app import load_config
from exporter.backfill.plan import (
    BackfillPlan,
    PlanError,
    chosen,
    days,
    labels,
    plan_backfill,
    step,
)
from exporter.backfill.progress import Progress
from exporter.backfill.retry import with_retry
from exporter.backfill.run import Result, backfill, report
from exporter.backfill.spool import Spool, Written, sample_times
from exporter.client.client import HttpClient
from exporter.client.client import Request as Call
from exporter.demo.accounts import Accounts, Group, Organization, Plan, Workspace
from exporter.demo.vendors import Reply, Vendors
from exporter.model import FailureReason, HistoricalResult, PollError, PollFailure, PollResult
from exporter.polling.poll import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from prometheus_client import Metric

    from exporter.config.models import Config, Target

TODAY = date(2026, 3, 11)
DAY = 86_400
MARCH_9 = 1_773_014_400


def order(folder: Path, *targets: Target, **changes: object) -> BackfillPlan:
    usual = BackfillPlan(targets, date(2026, 3, 9), date(2026, 3, 10), 3600, "", folder / "past.om")
    return replace(usual, **changes)  # type: ignore[arg-type]  # as the cases want it


# What is asked for


def test_flags_make_an_order() -> None:
    acme, other = target("acme"), target("other")
    flags = {
        "targets": ["acme"],
        "start": "2026-01-31",
        "end": "2026-02-28",
        "step": "15m",
        "label": ["job=docusage", 'instance=a "quoted" host'],
        "output": "there.om",
    }
    assert plan_backfill(flags, [acme, other], datetime(2026, 3, 11, tzinfo=UTC)) == BackfillPlan(
        (acme,),
        date(2026, 1, 31),
        date(2026, 2, 28),
        900,
        r'job="docusage",instance="a \"quoted\" host"',
        Path("there.om"),
    )


def test_targets_whose_vendor_has_no_past_usage_are_left_out_unless_named() -> None:
    first, second = target("a"), target("b").model_copy(update={"vendor": "other"})
    assert chosen((first, second), (), {"other"}) == (first,)
    for targets, names in (((first, second), ("b",)), ((second,), ())):
        with pytest.raises(PlanError, match="the vendor has no API for past usage: b"):
            chosen(targets, names, {"other"})


def test_without_names_every_target_is_meant_and_without_an_end_yesterday() -> None:
    flags = {"start": "2026-01-31", "end": "", "step": "1d", "label": [""], "output": "x"}
    found = plan_backfill(flags, [target("a"), target("b")], datetime(2026, 3, 11, tzinfo=UTC))
    assert [each.name for each in found.targets] == ["a", "b"]
    assert (found.last, found.labels) == (date(2026, 3, 10), "")


def test_a_target_that_there_is_not_is_refused() -> None:
    flags = {"targets": ["b", "c", "a"], "start": "2026-01-31", "end": "", "step": "1d"}
    more = {"label": [], "output": "x"}
    with pytest.raises(PlanError, match="no such target: b, c"):
        plan_backfill(flags | more, [target("a")], datetime(2026, 3, 11, tzinfo=UTC))


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    flags = {"start": "2026-01-31", "end": "", "step": "1d", "label": [], "output": str(tmp_path)}
    with pytest.raises(PlanError, match="is a folder"):
        plan_backfill(flags, [target("a")], datetime(2026, 3, 11, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("", "", "--start must be given as a date such as 2026-01-31"),
        ("20260101", "", "--start must be given as a date such as 2026-01-31"),
        ("2026-02-30", "", "--start must be given as a date such as 2026-01-31"),
        ("2026-03-11", "", "--start must be from 2010-01-01 to 2026-03-10"),
        ("2009-12-31", "", "--start must be from 2010-01-01 to 2026-03-10"),
        ("2026-02-02", "2026-02-01", "--start must be from 2010-01-01 to 2026-02-01"),
        ("2026-03-01", "2026-03-11", "--end can be 2026-03-10 at the latest"),
        ("2026-03-01", "now", "--end must be given as a date such as 2026-01-31"),
    ],
)
def test_days_that_cannot_be_written_are_refused(start: str, end: str, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        days(start, end, TODAY)


@pytest.mark.parametrize("text", ["", "5", "0m", "7m", "2d", "5 m", "-5m", "5M", "\u0661m"])
def test_a_step_that_does_not_divide_a_day_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="--step must divide a day evenly"):
        step(text)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["job"], "--label job: write NAME=VALUE"),
        (["job="], "--label job=: write NAME=VALUE"),
        (["2job=a"], "write NAME=VALUE"),
        (["__name__=a"], "write NAME=VALUE"),
        (["target=a"], "target is taken already"),
        (["job=a", "job=b"], "job is taken already"),
    ],
)
def test_a_label_that_cannot_be_added_is_refused(pairs: list[str], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        labels(pairs)


# When samples stand


def test_samples_stand_at_the_end_of_each_step() -> None:
    times = sample_times(MARCH_9, MARCH_9 + DAY, 6 * 3600)
    assert [moment - MARCH_9 for moment in times] == [21_599, 43_199, 64_799, 86_399]


def test_a_stretch_that_ends_within_a_step_has_a_sample_at_its_end() -> None:
    times = sample_times(MARCH_9 + 100, MARCH_9 + 7000, 3600)
    assert [moment - MARCH_9 for moment in times] == [3599, 6999]


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from([60, 300, 3600, DAY]))
def test_no_moment_of_a_stretch_is_a_step_away_from_a_sample(
    begin: int, length: int, every: int
) -> None:
    times = sample_times(begin, begin + length, every)
    assert times == sorted(set(times))
    assert times[0] < begin + every
    assert begin <= times[0]
    assert times[-1] == begin + length - 1
    assert all(later - earlier <= every for earlier, later in pairwise(times))


# The spool


def written(asked: BackfillPlan, *historical_results: list[HistoricalResult]) -> str:
    spool = Spool(asked)
    for each in asked.targets:
        with spool.of(each) as past:
            for part in historical_results:
                past.add(part)
    spool.write_out()
    return asked.output.read_text(encoding="utf-8")


def families_of(text: str) -> list[Metric]:
    """What a strict reader finds; it refuses a metric in two places and times out of order."""
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # it has no types


def daily(value: int, begin: float, end: float) -> HistoricalResult:
    return HistoricalResult(begin, end, PollResult((CREDITS_TODAY._replace(value=value),)))


def test_the_output_has_each_metric_once_with_the_labels_added(tmp_path: Path) -> None:
    asked = order(tmp_path, target("a"), target("b"), step=DAY, labels='job="x"')
    days_ = [daily(day, MARCH_9 + day * DAY, MARCH_9 + (day + 1) * DAY) for day in range(2)]
    head, kind, *lines = written(asked, days_).splitlines()
    assert head.startswith("# HELP affinda_credits_daily Credits ")
    assert kind == "# TYPE affinda_credits_daily gauge"
    assert lines == [
        'affinda_credits_daily{target="a",organization="org",job="x"} 0 1773100799',
        'affinda_credits_daily{target="a",organization="org",job="x"} 1 1773187199',
        'affinda_credits_daily{target="b",organization="org",job="x"} 0 1773100799',
        'affinda_credits_daily{target="b",organization="org",job="x"} 1 1773187199',
        "# EOF",
    ]


def test_what_the_readings_make_of_an_allowance_is_written_as_well(tmp_path: Path) -> None:
    text = written(
        order(tmp_path, target("a"), step=DAY),
        [HistoricalResult(MARCH_9, MARCH_9 + DAY, PollResult((), (ALLOWANCE,)))],
    )
    labels_ = 'target="a",vendor="acme",account="org",allowance="credits"'
    assert f"docusage_allowance_available_ratio{{{labels_}}} 0.3 1773100799\n" in text
    assert f'threshold_ratio{{{labels_},severity="critical"}} 0.05 1773100799\n' in text


def test_an_empty_stretch_is_not_written(tmp_path: Path) -> None:
    assert written(order(tmp_path, target("a")), [daily(1, MARCH_9, MARCH_9)]) == "# EOF\n"


def test_samples_of_a_series_stay_together_in_order_of_time(tmp_path: Path) -> None:
    asked = order(tmp_path, target('a "b"\\'), target("b"), step=6 * 3600, labels='job="x"')
    poll_result = PollResult((CREDITS_TODAY,), (ALLOWANCE, replace(ALLOWANCE, allowance="more")))
    text = written(
        asked,
        [
            HistoricalResult(MARCH_9 + day * DAY, MARCH_9 + (day + 1) * DAY, poll_result)
            for day in range(3)
        ],
    )
    families = families_of(text)
    assert len({family.name for family in families}) == len(families) == 9
    counted = {family.name: len(family.samples) for family in families}
    # Two targets, twelve samples a series, and of a threshold four series for each target.
    assert counted["affinda_credits_daily"] == 2 * 12
    assert counted["docusage_allowance_threshold_ratio"] == 2 * 12 * 4
    assert {sample.labels["target"] for family in families for sample in family.samples} == {
        'a "b"\\',
        "b",
    }


def test_what_was_spooled_is_there_for_the_next_run_and_gone_after_it(tmp_path: Path) -> None:
    asked = order(tmp_path, target("a"), target("b"))
    with Spool(asked).of(target("a")) as past:
        past.add([daily(1, MARCH_9, MARCH_9 + DAY)])
    again = Spool(asked)
    assert again.has(target("a"))
    assert not again.has(target("b"))
    with again.of(target("b")):
        pass
    assert again.write_out() == Written(1, 24)
    assert [path.name for path in tmp_path.iterdir()] == ["past.om"]


@pytest.mark.parametrize(
    "change", [{"first": date(2026, 3, 8)}, {"last": date(2026, 3, 9)}], ids=str
)
def test_what_was_spooled_for_other_days_is_not_taken(
    tmp_path: Path, change: Mapping[str, object]
) -> None:
    with Spool(order(tmp_path, target("a"))).of(target("a")):
        pass
    assert not Spool(order(tmp_path, target("a"), **change)).has(target("a"))


def test_what_was_spooled_of_a_changed_target_is_not_taken(tmp_path: Path) -> None:
    asked = order(tmp_path, target("a"))
    with Spool(asked).of(target("a")):
        pass
    assert not Spool(asked).has(target("a", alerts={"warning_ratio": 0.5}))


def test_what_was_interrupted_is_not_taken(tmp_path: Path) -> None:
    asked = order(tmp_path, target("a"))
    spool = Spool(asked)
    with suppress(KeyboardInterrupt), spool.of(target("a")) as past:
        past.add([daily(1, MARCH_9, MARCH_9 + DAY)])
        raise KeyboardInterrupt
    assert not spool.has(target("a"))
    text = written(asked, [daily(2, MARCH_9, MARCH_9 + DAY)])
    assert 'organization="org"} 2 ' in text
    assert 'organization="org"} 1 ' not in text


# Patience


class Moody:
    """A way out that fails as it is told, and notes when it was called."""

    def __init__(self, *failures: PollError | None) -> None:
        self.called: list[float] = []
        self._failures = iter(failures)

    async def __call__(self, _: Call) -> bytes:
        self.called.append(elapsed())
        if failure := next(self._failures, None):
            raise failure
        return b"reply"


def ask(send: Callable[[Call], object], times: int = 1) -> list[bytes]:
    async def main() -> list[bytes]:
        transport = with_retry(send, Limits(1, 2.0), 20.0)  # type: ignore[arg-type]  # a fake
        return [await transport(Call("GET", "https://api/")) for _ in range(times)]

    return in_virtual_time(main())


DOWN = PollError(FailureReason.SERVER_ERROR, "HTTP status 503")


def test_requests_keep_to_the_rate_limit() -> None:
    calm = Moody()
    assert ask(calm, 3) == [b"reply"] * 3
    assert calm.called == [0.0, 0.5, 1.0]


def test_what_fails_for_a_passing_reason_is_tried_again_three_times() -> None:
    moody = Moody(DOWN, DOWN, DOWN)
    assert ask(moody) == [b"reply"]
    assert moody.called == [0, 2, 10, 40]


def test_what_goes_on_failing_is_given_up() -> None:
    moody = Moody(DOWN, DOWN, DOWN, DOWN)
    with pytest.raises(PollError, match="HTTP status 503"):
        ask(moody)
    assert len(moody.called) == 4


@pytest.mark.parametrize(("asked", "called"), [(100.0, [0, 100]), (1.0, [0, 2]), (300.0, [0, 300])])
def test_a_vendor_that_asks_to_wait_is_waited_for(asked: float, called: list[float]) -> None:
    moody = Moody(PollError(FailureReason.RATE_LIMITED, "HTTP status 429", asked))
    ask(moody)
    assert moody.called == called


@pytest.mark.parametrize(
    "failure",
    [
        PollError(FailureReason.RATE_LIMITED, "HTTP status 429", 301.0),
        PollError(FailureReason.AUTH, "HTTP status 401"),
        PollError(FailureReason.MALFORMED, "no JSON"),
    ],
    ids=lambda failure: str(failure.reason),
)
def test_what_waiting_does_not_help_is_not_tried_again(failure: PollError) -> None:
    moody = Moody(failure)
    with pytest.raises(PollError, match=failure.detail):
        ask(moody)
    assert moody.called == [0]


def test_a_call_that_hangs_is_a_timeout() -> None:
    called = []

    async def hang(_: Call) -> bytes:
        called.append(elapsed())
        return await asyncio.sleep(10**6, b"")

    with pytest.raises(PollError, match="timeout: no reply within 20 seconds"):
        ask(hang)
    assert called == [0, 22, 50, 100]


# Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: TextIO) -> str:
    progress = Progress(3, stream)
    progress.show(2, "acme")
    progress.show(2, "acme", 7)
    progress.clear()
    stream.seek(0)
    return stream.read()


def test_a_terminal_shows_a_bar_and_gets_its_line_back() -> None:
    bar = "#" * 20 + "." * 10
    assert shown(Terminal()) == (
        f"\r\x1b[K[{bar}] 2/3  acme\r\x1b[K[{bar}] 2/3  acme, 7 of its parts\r\x1b[K"
    )


def test_a_pipe_shows_nothing() -> None:
    assert shown(io.StringIO()) == ""


# The whole of it, against the simulated vendors

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS = Accounts(
    (
        Organization(
            "oRg1",
            "Acme",
            "demo-key-1-not-real",
            {date(2026, 3, 9): 40, date(2026, 3, 10): 5},
            (Workspace("wS1", "Claims", {date(2026, 3, 9): 2}),),
        ),
    ),
    (
        Group(
            481,
            "Head",
            "demo-key-2-not-real",
            (Plan(71, "Yearly", 120, "NZD", 9, 5, JANUARY, JANUARY + timedelta(days=365)),),
        ),
    ),
    lambda: NOON,
)
CONFIG = """
poll: {{requests_per_second: 1000}}
targets:
  - {{name: eu, vendor: affinda, base_url: "{url}", organization: oRg1, workspaces: all,
     api_key: demo-key-1-not-real}}
  - {{name: nz, vendor: xtracta, base_url: "{url}", api_key: demo-key-2-not-real}}
"""


def runs(folder: Path, vendors: Vendors, *before_each: Callable[[], object]) -> list[Result]:
    """How several runs of the same command end, each after a change of the vendors' mood."""

    async def main() -> list[Result]:
        async with vendors.serve() as url:
            path = folder / "config.yaml"
            path.write_text(CONFIG.format(url=url), encoding="utf-8")
            found = []
            for change in before_each:
                change()
                found.append(await run(folder, load_config(path, {})))
            return found

    return asyncio.run(main())


async def run(folder: Path, config: Config) -> Result:
    progress = Progress(2, io.StringIO())
    limits = Limits(1, config.poll.requests_per_second)
    return await backfill(order(folder, *config.targets), HttpClient("tests"), limits, progress)


def test_the_past_of_every_target_is_written(tmp_path: Path) -> None:
    [result] = runs(tmp_path, Vendors(ACCOUNTS), lambda: None)
    # 9 of the organization, 6 of its workspace, 5 of the plan and 1 of its group; 48 hours.
    assert result == Result(Written(21, 21 * 48), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "past.om"]
    text = (tmp_path / "past.om").read_text()
    labels_ = 'target="eu",organization="oRg1",workspace="wS1"'
    assert f"affinda_workspace_credits_daily{{{labels_}}} 2 1773017999\n" in text
    documents = 'xtracta_documents_allowed{target="nz",group_id="481",plan_id="71"} 9'
    assert text.count(documents) == 48
    assert "xtracta_documents_used" not in text
    assert len(families_of(text)) == 21


def test_a_run_after_a_failure_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    refused = {"/v3/workspaces"}
    vendors = Vendors(ACCOUNTS, lambda request: Reply(401) if request.path in refused else None)
    first, second = runs(tmp_path, vendors, lambda: None, refused.clear)
    failed = PollFailure(FailureReason.AUTH, "list of workspaces: HTTP status 401")
    assert first == Result(None, {"eu": failed})
    assert second == Result(Written(21, 21 * 48), {})
    assert vendors.calls["/v1/billings/history", "481"] == 1


def test_a_failure_leaves_an_earlier_output_alone(tmp_path: Path) -> None:
    (tmp_path / "past.om").write_text("earlier")
    runs(tmp_path, Vendors(Accounts()), lambda: None)
    assert (tmp_path / "past.om").read_text() == "earlier"


# What is said at the end


def test_success_says_how_much_there_is_and_what_to_do_with_it(tmp_path: Path) -> None:
    asked = order(tmp_path, target("a"), output=Path("past.om"))
    words = report(Result(Written(21, 10080), {}), asked, datetime(2026, 3, 11, 3, tzinfo=UTC))
    assert words == (
        "past.om: 21 series, 10,080 samples, 2026-03-09 to 2026-03-10. "
        "Next, into the folder in which\n"
        "Prometheus keeps its data (its --storage.tsdb.path):\n"
        "  promtool tsdb create-blocks-from --max-block-duration=744h openmetrics past.om FOLDER"
    )


def test_samples_that_prometheus_still_writes_itself_are_warned_about(tmp_path: Path) -> None:
    asked = order(tmp_path, target("a"))
    now = datetime(2026, 3, 11, 2, 59, tzinfo=UTC)
    words = report(Result(Written(21, 10080), {}), asked, now)
    assert words.endswith(
        "\nNot before 03:00 UTC: Prometheus still writes the last three hours itself."
    )


def test_failure_says_why_and_how_to_go_on(tmp_path: Path) -> None:
    failures = {
        "a": PollFailure(FailureReason.AUTH, "HTTP status 401"),
        "b": PollFailure(FailureReason.DNS, "no host"),
    }
    asked = order(tmp_path, *map(target, "abc"), output=Path("past.om"))
    assert report(Result(None, failures), asked, NOON) == (
        "a: auth: HTTP status 401\n"
        "b: dns: no host\n"
        "past.om is not written: 2 of 3 targets failed. What was read is kept beside it; the same\n"
        "command with --end=2026-03-10 goes on from there."
    )
