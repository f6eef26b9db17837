"""Which of the FOCUS validator's results are failures."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from focus_validation import TARGETS, count_passes, failures, write_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.one_python

OUTPUT = """
=== Validation Results ===
Total: 6 | Pass: 3 | Fail: 3 | Skipped: 1
⏭️ Region-C-001-M: SKIPPED  (violations=0, reason=rule not applicable)
✅ InvoiceId-C-003-C: PASS  (violations=0, msg=OR passed)
✅ InvoiceId-C-005-C: PASS  (violations=0, 10.7ms)
✅ BilledCost-C-001-M: PASS  (violations=0, 1.0ms)
❌ InvoiceId-C-004-C: FAIL  (violations=1219, msg=InvoiceId MUST be NULL., 8.1ms)
❌ EffectiveCost-C-005-C: FAIL  (violations=3, msg=EffectiveCost MUST equal '0'., 12.3ms)

--- Failures ---
- InvoiceId-C-004-C: violations=1219; InvoiceId MUST be NULL.
"""


def rule(function: str, *items: str) -> dict[str, Any]:
    requirement = {"CheckFunction": function, "Items": [{"ModelRuleId": item} for item in items]}
    return {"ValidationCriteria": {"Requirement": requirement}}


MODEL = {
    "ModelRules": {
        "InvoiceId-C-003-C": rule("OR", "InvoiceId-C-004-C", "InvoiceId-C-005-C"),
        "BilledCost-C-001-M": rule("AND", "EffectiveCost-C-005-C"),
    }
}


def test_a_rule_that_fails_is_a_failure_unless_another_holds_in_its_place() -> None:
    assert list(failures(OUTPUT, MODEL)) == ["EffectiveCost-C-005-C"]
    assert count_passes(OUTPUT) == 3


def test_an_alternative_counts_only_where_one_of_them_holds() -> None:
    neither = OUTPUT.replace("InvoiceId-C-003-C: PASS", "InvoiceId-C-003-C: FAIL")
    assert list(failures(neither, MODEL)) == [
        *("InvoiceId-C-003-C", "InvoiceId-C-004-C", "EffectiveCost-C-005-C"),
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_files(tmp_path_factory.mktemp("focus"))


def test_the_files_to_validate_have_every_kind_of_charge_of_every_target(files: list[Path]) -> None:
    for file in files:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
        assert {(row["x_Target"], row["ChargeCategory"]) for row in rows} == {
            (target, category) for target in TARGETS for category in ("Usage", "Purchase")
        }
        assert {row["InvoiceId"] for row in rows} == {f"INV-{target}" for target in TARGETS}


def test_effective_costs_of_the_demo_are_those_of_its_usage(files: list[Path]) -> None:
    by_workspace, by_document_type = files
    for target in ("acme-eu", "acme-us", "acme-logistics"):
        found = [costs_of(file, target) for file in (by_workspace, by_document_type)]
        assert found[0] == found[1]
        effective, consumed, price = found[0]
        assert effective == consumed * price


def costs_of(file: Path, target: str) -> tuple[Decimal, Decimal, Decimal]:
    """The effective cost of a target's usage, its credits, and the price of one."""
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    usage = [row for row in rows if (row["x_Target"], row["ChargeCategory"]) == (target, "Usage")]
    (price,) = {row["ListUnitPrice"] for row in usage}
    return (
        sum((Decimal(row["EffectiveCost"]) for row in usage), Decimal()),
        sum((Decimal(row["ConsumedQuantity"]) for row in usage), Decimal()),
        Decimal(price),
    )
