"""`docusage-exporter report` with simulated vendors."""

from __future__ import annotations

import csv
import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from cli_runner import CliRunner

REFUSED = "acme-refused: auth: HTTP status 401: Invalid token.\n"


def report(path: Path, *more: str) -> list[str]:
    return ["report", f"--config.file={path}", *more]


def test_a_report_is_a_table(run_cli: CliRunner, probed: Path) -> None:
    flags = "--from=2026-02-28", "--to=2026-03-02", "acme-a"
    status, text, errors = run_cli(*report(probed, *flags))
    assert (status, errors) == (0, "")
    assert (
        text
        == """\
Usage from 2026-02-28 to 2026-03-02 (ends are exclusive, UTC)

acme-a: Acme (mEFayXdO)
ORGANIZATION     CREDITS    SHARE
Acme (mEFayXdO)       88  100.0 %
The target lists no workspaces: the row is the whole organization.

PERIOD                                       ALLOWED  USED  UNUSED  PRICE  PER UNIT
monthly credits, 2026-02-01 to 2026-03-01 *      400    58     342      -         -
monthly credits, 2026-03-01 to 2026-04-01 *      400    30     370      -         -
* Partly in the range: shown whole, with what was used before 2026-03-02.

TOTAL
credits used  88
"""
    )


def test_a_target_that_fails_is_named_and_the_others_are_reported(
    run_cli: CliRunner, probed: Path
) -> None:
    status, text, errors = run_cli(*report(probed, "--month=2026-02", "--format=json"))
    assert (status, errors) == (1, REFUSED)
    document = json.loads(text)
    assert [target["target"] for target in document["targets"]] == ["acme-a", "acme-x"]
    assert document["failures"] == [REFUSED.strip()]


def test_a_workspace_that_cannot_be_read_is_named_and_its_usage_is_in_other(
    run_cli: CliRunner, probed: Path
) -> None:
    text = probed.read_text().replace("mEFayXdO\n", "mEFayXdO\n    workspaces: [gone]\n")
    probed.write_text(text)
    failure = "acme-a: workspace gone: client_error: HTTP status 404: Not found.\n"
    flags = "--from=2026-02-28", "--to=2026-03-02", "acme-a"
    status, text, errors = run_cli(*report(probed, *flags))
    assert (status, errors) == (1, failure)
    assert text.splitlines()[3:8] == [
        "WORKSPACE  CREDITS    SHARE",
        "gone             -        -",
        "other           88  100.0 %",
        "Total           88  100.0 %",
        "1 workspace accounts for 0 of the organization's 88 credits; 88 are in other.",
    ]
    assert text.splitlines()[8:10] == [
        "A part's figures of 2 days cannot be read: its usage then is in other.",
        "workspace gone could not be read.",
    ]
    status, text, errors = run_cli(*report(probed, *flags, "--format=csv"))
    unread = "acme-a: A part's figures of 2 days cannot be read: its usage then is in other.\n"
    assert (status, errors) == (1, failure + unread)
    lines = [line for line in csv.DictReader(text.splitlines()) if line["type"] != "allowance"]
    assert [(line["type"], line["used"], line["complete"]) for line in lines] == [
        ("workspace", "", "no"),
        ("other", "88", "no"),
    ]
    _, text, _ = run_cli(*report(probed, *flags, "--format=json"))
    (account,) = json.loads(text)["targets"][0]["accounts"]
    assert [row["used"] for row in account["rows"]] == [None, 88]
    assert json.loads(text)["failures"] == [failure.strip()]


def test_the_output_is_replaced_atomically(run_cli: CliRunner, probed: Path) -> None:
    output = probed.with_name("report.csv")
    output.write_text("old")
    output.chmod(0o600)
    flags = "--month=2026-02", "--format=csv", f"--output={output}", "acme-x"
    with output.open() as reader:
        assert run_cli(*report(probed, *flags)) == (0, "", "")
        assert reader.read() == "old"
    (line,) = csv.DictReader(output.read_text(encoding="utf-8").splitlines())
    assert (line["type"], line["used"], line["price"]) == ("plan", "250", "390")
    assert sorted(path.name for path in probed.parent.iterdir()) == ["probed.yaml", "report.csv"]


def test_an_output_that_cannot_be_written_is_an_error(run_cli: CliRunner, probed: Path) -> None:
    output = probed.with_name("missing") / "report.csv"
    status, text, errors = run_cli(
        *report(probed, "--month=2026-02", f"--output={output}", "acme-x")
    )
    assert (status, text) == (1, "")
    assert "No such file or directory" in errors


def test_the_current_day_is_incomplete_in_every_format(run_cli: CliRunner, probed: Path) -> None:
    message = "The current day, 2026-03-02, is not over: its figures are incomplete."
    flags = "--month=2026-03", "--by=day", "acme-a"
    _, text, errors = run_cli(*report(probed, *flags))
    assert (errors, message in text) == ("", True)
    assert "2026-03-02 Mon (incomplete)       12   28.6 %\n" in text
    status, text, errors = run_cli(*report(probed, *flags, "--format=csv"))
    assert (status, errors) == (0, f"acme-a: {message}\n")
    assert [line["complete"] for line in csv.DictReader(text.splitlines())] == ["yes", "no", "no"]


def test_focus_without_a_price_fails_and_says_which_key_to_set(
    run_cli: CliRunner, probed: Path
) -> None:
    flags = "--from=2026-01-01", "--to=2026-03-02", "--format=focus"
    status, text, errors = run_cli(*report(probed, *flags, "acme-a", "acme-x"))
    assert (status, errors) == (
        1,
        "acme-a: no price of credits: set allowance.price_per_credit and allowance.currency\n",
    )
    assert [line["x_Target"] for line in csv.DictReader(text.splitlines())] == ["acme-x"] * 2


def test_focus_names_what_is_billed_in_another_month(run_cli: CliRunner, probed: Path) -> None:
    flags = "--month=2026-02", "--format=focus", "acme-x"
    status, text, errors = run_cli(*report(probed, *flags))
    assert (status, len(text.splitlines())) == (0, 1)
    assert errors == ("acme-x: plan Yearly (7) began on 2026-01-01: its price is not in the file\n")


def test_an_invalid_flag_is_misuse(run_cli: CliRunner, probed: Path) -> None:
    status, text, errors = run_cli(*report(probed, "nobody"))
    assert (status, text) == (2, "")
    assert errors.endswith("docusage-exporter report: error: unknown target: nobody\n")


def test_flags_are_environment_variables(run_cli: CliRunner, probed: Path) -> None:
    environ = {"DOCUSAGE_MONTH": "2026-02", "DOCUSAGE_FORMAT": "json", "DOCUSAGE_BY": "day"}
    status, text, _ = run_cli(*report(probed, "acme-a"), environ=environ)
    assert (status, json.loads(text)["by"], json.loads(text)["from"]) == (0, "day", "2026-02-01")


def test_lines_fit_the_terminal(
    run_cli: CliRunner, probed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")
    assert os.environ["COLUMNS"] == "60"
    _, text, _ = run_cli(*report(probed, "--month=2026-02", "acme-x"))
    assert text.splitlines()[3:6] == [
        "PERIOD  ALLOWED  USED  UNUSED       PRICE  PER UNIT",
        "Yearly (7), 2026-01-01 to 2027-01-01 *",
        "          1,000   250     750  390.00 NZD    1.5600",
    ]
