"""A whole backfill with simulated vendors, and its report."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from backfill_options import some_options
from fake_targets import target
from own_thread import in_own_thread
from report_runs import silent_reader

from exporter.app import load_config
from exporter.backfill.run import Result, backfill, report
from exporter.backfill.spool import OutputSize
from exporter.demo.accounts import Accounts, Group, Organization, Plan, Scope
from exporter.demo.vendors import SimulatedResponse, Vendors

if TYPE_CHECKING:
    from collections.abc import Callable


NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS = Accounts(
    (
        Organization(
            "oRg1",
            "Acme",
            "demo-key-1-not-real",
            {date(2026, 3, 9): 40, date(2026, 3, 10): 5},
            (Scope("wS1", "Claims", {date(2026, 3, 9): 2}),),
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
targets:
  - {{name: eu, vendor: affinda, base_url: "{url}", organization: oRg1, workspaces: all,
     api_key: demo-key-1-not-real}}
  - {{name: nz, vendor: xtracta, base_url: "{url}", api_key: demo-key-2-not-real}}
"""


def runs(folder: Path, vendors: Vendors, *before_each: Callable[[], object]) -> list[Result]:
    """The results of several runs of the same command, each after a change of the vendors."""

    async def main() -> list[Result]:
        async with vendors.serve() as url:
            path = folder / "config.yaml"
            path.write_text(CONFIG.format(url=url), encoding="utf-8")
            found = []
            for change in before_each:
                change()
                options = some_options(folder, *load_config(path, {}).targets)
                found.append(await backfill(options, silent_reader()))
            return found

    return in_own_thread(asyncio.run, main())


def test_the_history_of_every_target_is_written(tmp_path: Path) -> None:
    [result] = runs(tmp_path, Vendors(ACCOUNTS), lambda: None)
    # 9 of the organization, 6 of its workspace, 5 of the plan and 1 of its group; 48 hours.
    assert result == Result(OutputSize(21, 21 * 48), [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "history.om"]
    text = (tmp_path / "history.om").read_text()
    labels_ = 'target="eu",organization="oRg1",workspace="wS1"'
    assert f"affinda_workspace_credits_daily{{{labels_}}} 2 1773017999\n" in text
    documents = 'xtracta_documents_allowed{target="nz",group_id="481",plan_id="71"} 9'
    assert text.count(documents) == 48
    assert "xtracta_documents_used" not in text
    assert text.count("# TYPE ") == 21


def test_a_run_after_a_failure_requests_only_what_is_missing(tmp_path: Path) -> None:
    refused = {"/v3/workspaces"}
    vendors = Vendors(
        ACCOUNTS, lambda request: SimulatedResponse(401) if request.path in refused else None
    )
    first, second = runs(tmp_path, vendors, lambda: None, refused.clear)
    assert first == Result(None, ["eu: auth: list of workspaces: HTTP status 401"])
    assert second == Result(OutputSize(21, 21 * 48), [])
    assert vendors.calls["/v1/billings/history", "481"] == 1


def test_a_failure_leaves_an_earlier_output_alone(tmp_path: Path) -> None:
    (tmp_path / "history.om").write_text("earlier")
    runs(tmp_path, Vendors(Accounts()), lambda: None)
    assert (tmp_path / "history.om").read_text() == "earlier"


def test_the_report_of_success_has_the_size_and_the_next_step(tmp_path: Path) -> None:
    wanted = some_options(tmp_path, target("a"), output=Path("history.om"))
    text = report(Result(OutputSize(21, 10080), []), wanted, datetime(2026, 3, 11, 3, tzinfo=UTC))
    assert text == (
        "history.om: 21 series, 10,080 samples, 2026-03-09 to 2026-03-10. To import it into the\n"
        "directory in which Prometheus keeps its data (its --storage.tsdb.path):\n"
        "  promtool tsdb create-blocks-from --max-block-duration=744h openmetrics history.om "
        "DIRECTORY"
    )


def test_the_report_says_when_the_last_three_hours_are_over(tmp_path: Path) -> None:
    wanted = some_options(tmp_path, target("a"))
    now = datetime(2026, 3, 11, 2, 59, tzinfo=UTC)
    text = report(Result(OutputSize(21, 10080), []), wanted, now)
    assert text.endswith(
        "\nImport it after 03:00 UTC: Prometheus itself still writes the last three hours."
    )


def test_the_report_of_a_failure_has_reasons_and_the_next_step(tmp_path: Path) -> None:
    failures = ["a: auth: HTTP status 401", "b: dns: no host"]
    wanted = some_options(tmp_path, *map(target, "abc"), output=Path("history.om"))
    assert report(Result(None, failures), wanted, NOON) == (
        "a: auth: HTTP status 401\n"
        "b: dns: no host\n"
        "history.om was not written: 2 of 3 targets failed. The others are in history.om.partial.\n"
        "Mend the cause and repeat the command with --end=2026-03-10, or name the targets to write."
    )
