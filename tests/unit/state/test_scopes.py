"""Values of parts that cannot be read: the last ones count until they are stale."""

from __future__ import annotations

from dataclasses import replace

from fake_targets import allowance, outcome, target

from exporter.model import (
    FailureReason,
    PollResult,
    Sample,
    ScopeFailure,
    ScopeUsage,
    UsageHistory,
)
from exporter.state.scopes import Previous, retain_scopes
from exporter.state.store import StateStore
from exporter.vendors.affinda.metrics import CREDITS, INFO
from exporter.vendors.common.metrics import gauge

ORGANIZATION = Sample(CREDITS["organization"]["daily"], ("org",), 9)
DAILY = CREDITS["workspace"]["daily"]
FIRST = Sample(DAILY, ("org", "w1"), 3)
SECOND = Sample(DAILY, ("org", "w2"), 4)
SECOND_NAME = Sample(INFO["workspace"], ("org", "w2", "Invoices"), 1)
WHOLE = PollResult((ORGANIZATION, FIRST, SECOND, SECOND_NAME))


def failed(value: str, succeeded_at: float | None = None) -> ScopeFailure:
    return ScopeFailure(
        f"workspace {value}",
        FailureReason.CLIENT_ERROR,
        "HTTP status 404",
        "workspace",
        value,
        succeeded_at=succeeded_at,
    )


WITHOUT_SECOND = PollResult((ORGANIZATION, FIRST), scope_failures=(failed("w2"),))


def test_a_failed_scope_keeps_its_last_values() -> None:
    found = retain_scopes(WITHOUT_SECOND, Previous(WHOLE, 1000.0), 1900.0, 2700.0)
    assert found.samples == WHOLE.samples
    assert found.scope_failures == (failed("w2", 1000.0),)


def test_they_expire_with_their_own_age() -> None:
    before = retain_scopes(WITHOUT_SECOND, Previous(WHOLE, 1000.0), 1900.0, 2700.0)
    kept = retain_scopes(WITHOUT_SECOND, Previous(before, 1900.0), 3699.0, 2700.0)
    assert kept.samples == WHOLE.samples
    gone = retain_scopes(WITHOUT_SECOND, Previous(kept, 3699.0), 3700.0, 2700.0)
    assert gone.samples == (ORGANIZATION, FIRST)
    assert gone.scope_failures == (failed("w2", 1000.0),)
    still = retain_scopes(WITHOUT_SECOND, Previous(gone, 3700.0), 4600.0, 2700.0)
    assert still == gone


def test_each_failed_scope_has_an_age_of_its_own() -> None:
    one = retain_scopes(WITHOUT_SECOND, Previous(WHOLE, 1000.0), 1900.0, 2700.0)
    both = PollResult((ORGANIZATION,), scope_failures=(failed("w1"), failed("w2")))
    found = retain_scopes(both, Previous(one, 1900.0), 2800.0, 2700.0)
    assert found.scope_failures == (failed("w1", 1900.0), failed("w2", 1000.0))
    later = retain_scopes(both, Previous(found, 2800.0), 3700.0, 2700.0)
    assert later.samples == (ORGANIZATION, FIRST)


def test_a_scope_that_was_never_read_has_nothing_to_keep() -> None:
    for previous in (None, Previous(PollResult((ORGANIZATION,)), 1000.0)):
        assert retain_scopes(WITHOUT_SECOND, previous, 1900.0, 2700.0) == WITHOUT_SECOND


def test_without_a_failure_nothing_is_kept() -> None:
    now = PollResult((ORGANIZATION, FIRST))
    assert retain_scopes(now, Previous(WHOLE, 1000.0), 1900.0, 2700.0) is now


def test_a_list_that_fails_keeps_all_scopes_of_its_kind() -> None:
    now = PollResult((ORGANIZATION,), scope_failures=(failed(""),))
    found = retain_scopes(now, Previous(WHOLE, 1000.0), 1900.0, 2700.0)
    assert found.samples == WHOLE.samples


def test_a_series_that_was_read_again_is_not_kept_twice() -> None:
    newer = SECOND._replace(value=5)
    now = PollResult((ORGANIZATION, FIRST, newer), scope_failures=(failed("w2"),))
    found = retain_scopes(now, Previous(WHOLE, 1000.0), 1900.0, 2700.0)
    assert found.samples == (ORGANIZATION, FIRST, newer, SECOND_NAME)


def test_a_failed_scope_keeps_its_daily_use() -> None:
    organization = ScopeUsage("organization", "org", "Acme", "credits", None)
    first, second = (
        ScopeUsage("workspace", name, "", "credits", UsageHistory(0.0, 0.0, 3, (1, 2)))
        for name in ("w1", "w2")
    )
    whole = replace(WHOLE, scopes=(organization, first, second))
    now = replace(WITHOUT_SECOND, scopes=(organization, first))
    found = retain_scopes(now, Previous(whole, 1000.0), 1900.0, 2700.0)
    assert found.scopes == (organization, first, second)
    without_list = replace(now, scopes=(organization,), scope_failures=(failed(""),))
    found = retain_scopes(without_list, Previous(whole, 1000.0), 1900.0, 2700.0)
    assert found.scopes == (organization, first, second)


USED = gauge("acme_documents_used", "Documents (used)", "group_id", "plan_id")


def group(identifier: str) -> PollResult:
    return PollResult((Sample(USED, (identifier, "7"), 5),), (allowance({"account": identifier}),))


def test_allowances_of_a_failed_group_are_kept() -> None:
    first, second = group("481"), group("482")
    both = PollResult(first.samples + second.samples, first.allowances + second.allowances)
    gone = ScopeFailure("group 482", FailureReason.TIMEOUT, "slow", "group_id", "482")
    now = PollResult(first.samples, first.allowances, scope_failures=(gone,))
    found = retain_scopes(now, Previous(both, 1000.0), 1900.0, 2700.0)
    assert (found.samples, found.allowances) == (both.samples, both.allowances)


def test_the_store_keeps_the_values_of_a_failed_scope_until_stale_after() -> None:
    store = StateStore(lambda: 0.0)
    store.set_targets([target(poll={"interval": "15m", "stale_after": "45m"})])
    store.record("one", outcome(WHOLE, at=1000.0))
    snapshot = store.record("one", outcome(WITHOUT_SECOND, at=3699.0))
    assert snapshot.result
    assert snapshot.result.samples == WHOLE.samples
    assert snapshot.scope_failures == (failed("w2", 1000.0),)
    assert snapshot.state.is_up
    snapshot = store.record("one", outcome(WITHOUT_SECOND, at=3700.0))
    assert snapshot.result
    assert snapshot.result.samples == (ORGANIZATION, FIRST)
