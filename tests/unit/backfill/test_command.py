"""Backfill as a command, asking simulated vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner


def backfill(path: Path, *more: str) -> list[str]:
    days = "--start=2026-03-01", "--end=2026-03-02", "--step=1d"
    output = path.with_name("past.om")
    return ["backfill", f"--config.file={path}", f"--output={output}", *days, *more]


def test_backfill_writes_the_past_and_says_what_to_do_with_it(
    run_cli: CliRunner, probed: Path
) -> None:
    label = "--label=job=docusage"
    status, words, errors = run_cli(*backfill(probed, label, "acme-a", "acme-x"))
    assert (status, errors) == (0, "")
    output = probed.with_name("past.om")
    assert (
        f"  promtool tsdb create-blocks-from --max-block-duration=744h openmetrics {output}"
        in words
    )
    labels = 'target="acme-a",organization="mEFayXdO",job="docusage"'
    assert f"affinda_credits_daily{{{labels}}} 30 1772409599\n" in output.read_text()


def test_backfill_says_which_targets_failed_and_how_to_go_on(
    run_cli: CliRunner, probed: Path
) -> None:
    status, words, errors = run_cli(*backfill(probed))
    assert (status, words) == (1, "")
    assert errors == (
        "acme-refused: auth: HTTP status 401: Invalid token.\n"
        f"{probed.with_name('past.om')} is not written: 1 of 3 targets failed. "
        "What was read is kept beside it; the same\ncommand with --end=2026-03-02 goes on from "
        "there.\n"
    )


def test_backfill_refuses_what_cannot_be_done_before_it_asks(
    run_cli: CliRunner, probed: Path
) -> None:
    status, words, errors = run_cli(*backfill(probed, "nobody"))
    assert (status, words) == (2, "")
    assert errors.endswith("docusage-exporter backfill: error: no such target: nobody\n")
