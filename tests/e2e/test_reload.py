"""The running exporter: startup, reload and shutdown."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from exporter_process import (
    COMMAND,
    MODULE,
    Program,
    affinda_target,
    configuration,
    running,
    until,
    xtracta_target,
)

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.demo.vendors import Vendors

pytestmark = pytest.mark.e2e
LISTEN = "--web.listen-address=127.0.0.1:0"
AFFINDA_VALUES = {
    "affinda_credits_daily acme-a mEFayXdO": 12,
    "affinda_credits_previous_day acme-a mEFayXdO": 30,
    "affinda_credits_last_7_days acme-a mEFayXdO": 100,
    "affinda_credits_month_to_date acme-a mEFayXdO": 42,
    "affinda_credits_allowed acme-a mEFayXdO": 400,
    "affinda_credits_available acme-a mEFayXdO": 358,
    "docusage_target_up acme-a affinda": 1,
    "docusage_target_polls_total acme-a affinda": 1,
    "docusage_target_interval_seconds acme-a affinda": 3600,
}
XTRACTA_VALUES = {
    "xtracta_documents_allowed acme-x 481 7": 1000,
    "xtracta_documents_used acme-x 481 7": 250,
    "xtracta_documents_available acme-x 481 7": 750,
    "xtracta_plan_price acme-x 481 7 NZD": 390,
    "docusage_allowance_available_ratio acme-x xtracta 481 7": 0.75,
    "docusage_target_up acme-x xtracta": 1,
    "docusage_target_polls_total acme-x xtracta": 1,
}
RELOAD_OK = "docusage_exporter_config_last_reload_successful"
RELOADED_AT = "docusage_exporter_config_last_reload_success_timestamp_seconds"


def ready(program: Program) -> Program:
    until(lambda: program.ask("/-/ready").status == 200)
    return program


@pytest.mark.parametrize(
    ("start", "number"),
    [(MODULE, signal.SIGTERM), (COMMAND, signal.SIGINT)],
    ids=["module", "command"],
)
def test_it_serves_polled_values_and_exits_cleanly(
    tmp_path: Path, base_url: str, start: tuple[str, ...], number: signal.Signals
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(configuration(affinda_target(base_url), xtracta_target(base_url)))
    with running(tmp_path, f"--config.file={path}", LISTEN, start=start) as program:
        values = ready(program).values()
        assert {
            name: values.get(name) for name in AFFINDA_VALUES | XTRACTA_VALUES
        } == AFFINDA_VALUES | XTRACTA_VALUES
        assert values[RELOAD_OK] == 1
        assert program.ended_by(number) == 0
    assert program.output.read_text() == ""
    assert "msg=stopped" in program.log.read_text().splitlines()[-1]


def test_a_key_file_that_everybody_can_read_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    (tmp_path / "key").write_text("made-up-key-a\n")
    (tmp_path / "key").chmod(0o644)
    by_file = affinda_target("http://127.0.0.1:9").replace(
        "api_key: made-up-key-a", "api_key_file: key"
    )
    path.write_text(configuration(by_file))
    with running(tmp_path, f"--config.file={path}", LISTEN) as program:
        assert program.url.startswith("http://127.0.0.1:")
        assert program.ended_by(signal.SIGTERM) == 0
    problem = f"{path}:7: targets[0].api_key_file: every user of the machine can read the key"
    assert f'level=warn msg="problem in the configuration" target=acme-a detail="{problem}"' in (
        program.log.read_text()
    )


INVALID_FILES = {
    "misspelled key": (b"pol: {}\n", ":1: pol: unknown key; did you mean"),
    "empty": (b"", ": the file is empty"),
    "binary": (b"\x00\x01\xff", ":1: not UTF-8"),
    "half-written": (b'targets: [{name: "a', ":1: "),
    "several problems": (
        b"poll: {interval: 5}\ntargets:\n  - {name: a, vendor: affinda}\n",
        ":1: poll.interval: expected a duration",
    ),
}


def test_an_invalid_file_changes_nothing_and_is_reported_until_it_is_valid_again(
    tmp_path: Path, base_url: str, vendors: Vendors
) -> None:
    path = tmp_path / "config.yaml"
    good = configuration(affinda_target(base_url), xtracta_target(base_url))
    path.write_text(good)
    with running(tmp_path, f"--config.file={path}", LISTEN) as program:
        before = ready(program).values()
        for content, message in INVALID_FILES.values():
            path.write_bytes(content)
            assert_not_reloaded(program, f"{path}{message}", before)
        path.unlink()
        assert_not_reloaded(program, f"{path}: cannot be read: No such file or directory", before)
        asked = vendors.calls.total()
        path.write_text(good)
        answer = program.ask("/-/reload", "POST")
        assert (answer.status, answer.text) == (200, "Reloaded.\n")
        after = program.values()
        assert after[RELOAD_OK] == 1
        assert after[RELOADED_AT] > before[RELOADED_AT]
        assert values_of_targets(after) == values_of_targets(before)
        assert vendors.calls.total() == asked
        assert program.ended_by(signal.SIGTERM) == 0


def assert_not_reloaded(program: Program, message: str, before: dict[str, float]) -> None:
    answer = program.ask("/-/reload", "POST")
    assert answer.status == 500
    assert answer.text.startswith(message)
    values = program.values()
    assert values[RELOAD_OK] == 0
    assert values[RELOADED_AT] == before[RELOADED_AT]
    assert values_of_targets(values) == values_of_targets(before)


def values_of_targets(values: dict[str, float]) -> dict[str, float]:
    """The samples of targets, without those of the process."""
    return {name: value for name, value in values.items() if "acme" in name}


@pytest.mark.parametrize("by_signal", [False, True], ids=["request", "signal"])
def test_a_reload_polls_new_targets_drops_removed_ones_and_leaves_the_others_alone(
    tmp_path: Path, base_url: str, vendors: Vendors, *, by_signal: bool
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(configuration(affinda_target(base_url), xtracta_target(base_url)))
    with running(tmp_path, f"--config.file={path}", LISTEN) as program:
        before = ready(program).values()
        asked = dict(vendors.calls)
        renamed = configuration(affinda_target(base_url), xtracta_target(base_url, "acme-n"))
        path.write_text(renamed.replace("interval: 1h", "interval: 1h, max_concurrent: 2"))
        if by_signal:
            program.process.send_signal(signal.SIGHUP)
            until(lambda: program.values()[RELOADED_AT] > before[RELOADED_AT])
        else:
            assert program.ask("/-/reload", "POST").status == 200
        after = program.values()
        unchanged = {name: value for name, value in before.items() if "acme-a" in name}
        assert {name: value for name, value in after.items() if "acme-a" in name} == unchanged
        assert not [name for name in after if "acme-x" in name]
        expected = {
            name.replace("acme-x", "acme-n"): value for name, value in XTRACTA_VALUES.items()
        }
        until(lambda: expected.items() <= program.values().items())
        usage = "/v3/usage", "mEFayXdO"
        assert vendors.calls[usage] == asked[usage] == 1
        assert program.ended_by(signal.SIGTERM) == 0


def test_a_changed_target_starts_without_state(tmp_path: Path, base_url: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(configuration(affinda_target(base_url)))
    with running(tmp_path, f"--config.file={path}", LISTEN) as program:
        assert ready(program).values()["docusage_target_up acme-a affinda"] == 1
        path.write_text(configuration(affinda_target(base_url, key="revoked-key")))
        assert program.ask("/-/reload", "POST").status == 200
        failed = "docusage_target_failing acme-a affinda auth"
        until(lambda: program.values().get(failed) == 1)
        values = program.values()
        assert values["docusage_target_polls_total acme-a affinda"] == 1
        assert "affinda_credits_daily acme-a mEFayXdO" not in values
        assert program.ended_by(signal.SIGTERM) == 0
    assert "revoked-key" not in program.log.read_text()
