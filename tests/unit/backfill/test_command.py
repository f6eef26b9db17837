"""`docusage-exporter backfill` with simulated vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner


def backfill(path: Path, *more: str) -> list[str]:
    days = "--start=2026-03-01", "--end=2026-03-02", "--step=1d"
    output = path.with_name("history.om")
    return ["backfill", f"--config.file={path}", f"--output={output}", *days, *more]


def test_backfill_writes_the_history_and_prints_the_next_step(
    run_cli: CliRunner, probed: Path
) -> None:
    label = "--label=job=docusage"
    status, text, errors = run_cli(*backfill(probed, label, "acme-a", "acme-x"))
    assert (status, errors) == (0, "")
    output = probed.with_name("history.om")
    assert (
        f"  promtool tsdb create-blocks-from --max-block-duration=744h openmetrics {output}" in text
    )
    labels = 'target="acme-a",organization="mEFayXdO",job="docusage"'
    assert f"affinda_credits_daily{{{labels}}} 30 1772409599\n" in output.read_text()


def test_backfill_reports_the_targets_that_failed_and_the_next_step(
    run_cli: CliRunner, probed: Path
) -> None:
    status, text, errors = run_cli(*backfill(probed))
    assert (status, text) == (1, "")
    assert errors == (
        "acme-refused: auth: HTTP status 401: Invalid token.\n"
        f"{probed.with_name('history.om')} was not written: 1 of 3 targets failed. The others "
        f"are in {probed.with_name('history.om')}.partial.\n"
        "Mend the cause and repeat the command with --end=2026-03-02, or name the targets to "
        "write.\n"
    )


def test_backfill_refuses_an_unknown_target(run_cli: CliRunner, probed: Path) -> None:
    status, text, errors = run_cli(*backfill(probed, "nobody"))
    assert (status, text) == (2, "")
    assert errors.endswith("docusage-exporter backfill: error: unknown target: nobody\n")
