"""The output of a probe: table, metrics and textfile."""

from __future__ import annotations

from exporter_process import values
from fake_targets import ALLOWANCE, TIMEOUT, allowance, outcome, target

from exporter.cli.probe import prometheus_text
from exporter.cli.table import format_table
from exporter.metrics.catalogue import METRICS
from exporter.model import Allowance, FailureReason, PollOutcome, PollResult, ScopeFailure
from exporter.state.store import TargetSnapshot, TargetState

NOW = 1_780_000_000.0
LARGE = allowance(
    {
        "account": "a-long-account",
        "allowance": "7",
        "allowance_name": "Yearly 2",
        "unit": "documents",
        "allowed": 50_000,
        "available": 1000,
        "burn_per_day": None,
        "exhaustion": None,
        "exhaustion_earliest": None,
        "exhaustion_latest": None,
        "end": None,
    }
)
LITTLE = allowance({"allowance": "little", "available": 150})


def snapshot(name: str, *outcomes: PollOutcome) -> TargetSnapshot:
    state = TargetState()
    for each in outcomes:
        state = state.after(each, 0)
    return TargetSnapshot(target(name), state, is_stale=False)


def purchased(*allowances: Allowance) -> PollOutcome:
    return outcome(PollResult((), allowances))


# fmt: off
TABLE = """\
TARGET  ACCOUNT         ALLOWANCE      LEFT                OF   %  PER DAY  RUNS OUT               LIKELY                    USED AT END  ENDS
one     org             credits         300     1,000 credits  30       50  2026-09-21 (in 116 d)  2026-09-10 to 2026-10-03        125 %  2027-01-15 (in 231 d)
two     a-long-account  Yearly 2 (7)  1,000  50,000 documents   2        -  -                      -                                   -  -
two     org             little          150     1,000 credits  15       50  2026-09-21 (in 116 d)  2026-09-10 to 2026-10-03        140 %  2027-01-15 (in 231 d)
three: down: timeout: not complete within 20 seconds
four: up, 0 values, no allowance"""  # noqa: E501  as wide as a terminal shows it
# fmt: on
SNAPSHOTS = [
    snapshot("one", purchased(ALLOWANCE)),
    snapshot("two", purchased(LARGE, LITTLE)),
    snapshot("three", outcome(TIMEOUT)),
    snapshot("four", purchased()),
]


def test_the_table_has_a_row_for_each_allowance_and_a_line_for_each_target_without() -> None:
    assert format_table(SNAPSHOTS, NOW) == TABLE


def test_colours_show_the_severity_and_change_nothing_else() -> None:
    coloured = format_table(SNAPSHOTS, NOW, is_coloured=True)
    bare = coloured
    for code in ("0", "1", "1;31", "33", "32"):
        bare = bare.replace(f"\x1b[{code}m", "")
    assert bare == TABLE
    heading, fine, critical, warning, *remarks = coloured.splitlines()
    assert heading.startswith("\x1b[1mTARGET")
    assert "\x1b[32m  300\x1b[0m" in fine
    assert "\x1b[32m30\x1b[0m" in fine
    assert "\x1b[1;31m1,000\x1b[0m" in critical
    assert "\x1b[33m15\x1b[0m" in warning
    assert "\x1b" not in "".join(remarks)


def test_the_metrics_of_a_probe_are_those_of_a_single_poll() -> None:
    found = values(prometheus_text(SNAPSHOTS))
    assert found["docusage_allowance_available_ratio two acme a-long-account 7"] == 0.02
    assert found["docusage_target_up three acme"] == 0
    shown = {name.partition(" ")[0] for name in found}
    counters = {metric.name for metric in METRICS if metric.kind == "counter"}
    assert shown & {*counters, "docusage_target_next_poll_timestamp_seconds"} == set()


def test_what_could_not_be_read_is_said_below_the_table() -> None:
    gone = ScopeFailure(
        "workspace w1", FailureReason.CLIENT_ERROR, "HTTP status 404", "workspace", "w1"
    )
    unlimited = allowance({"allowed": None, "available": None, "burn_per_day": None})
    result = PollResult((), (unlimited,), (), (gone,), ("cannot read price of plan 7",))
    _, row, *lines = format_table([snapshot("one", outcome(result))], NOW).splitlines()
    assert row.split()[:7] == ["one", "org", "credits", "-", "-", "credits", "-"]
    assert lines == [
        "one: workspace w1: client_error: HTTP status 404",
        "one: cannot read price of plan 7",
    ]
