"""Values of a target's parts that could not be read: the last ones, until they are stale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.model import Allowance, PollResult, Sample, ScopeFailure, ScopeUsage


class Previous(NamedTuple):
    """The last successful poll: its result, and when it ended, Unix seconds."""

    result: PollResult
    at: float


def retain_scopes(
    result: PollResult, previous: Previous | None, now: float, stale_after: float
) -> PollResult:
    """The result, with the last values of the scopes that could not be read.

    Args:
        result: of a poll that has just ended.
        previous: the one before it.
        now: Unix seconds.
        stale_after: seconds for which values count.
    """
    if previous is None or not result.scope_failures:
        return result
    failures = [_with_last_success(failure, previous) for failure in result.scope_failures]
    fresh = [
        failure
        for failure in failures
        if failure.succeeded_at is not None and 0 <= now - failure.succeeded_at < stale_after
    ]
    return replace(
        result,
        samples=result.samples + tuple(_samples(fresh, previous.result, result)),
        allowances=result.allowances + tuple(_allowances(fresh, previous.result, result)),
        scope_failures=tuple(failures),
        scopes=result.scopes + tuple(_scopes(fresh, previous.result, result)),
    )


def _with_last_success(failure: ScopeFailure, previous: Previous) -> ScopeFailure:
    for before in previous.result.scope_failures:
        if (before.label, before.value) == (failure.label, failure.value):
            return failure._replace(succeeded_at=before.succeeded_at)
    if any(_is_of(failure, sample) for sample in previous.result.samples):
        return failure._replace(succeeded_at=previous.at)
    return failure


def _is_of(failure: ScopeFailure, sample: Sample) -> bool:
    # `target` is a metric's first label, and no value of a sample.
    labels = sample.metric.labels[1:]
    if failure.label not in labels:
        return False
    return failure.value in {"", sample.labels[labels.index(failure.label)]}


def _samples(
    failures: Sequence[ScopeFailure], previous: PollResult, current: PollResult
) -> Iterator[Sample]:
    known = {(sample.metric.name, sample.labels) for sample in current.samples}
    for sample in previous.samples:
        if (sample.metric.name, sample.labels) not in known and any(
            _is_of(failure, sample) for failure in failures
        ):
            yield sample


def _scopes(
    failures: Sequence[ScopeFailure], previous: PollResult, current: PollResult
) -> Iterator[ScopeUsage]:
    failed = {(failure.label, failure.value) for failure in failures}
    known = {scope[:2] for scope in current.scopes}
    for scope in previous.scopes:
        if scope[:2] not in known and failed & {scope[:2], (scope.label, "")}:
            yield scope


def _allowances(
    failures: Sequence[ScopeFailure], previous: PollResult, current: PollResult
) -> Iterator[Allowance]:
    """Those whose account is a scope that failed."""
    accounts = {failure.value for failure in failures}
    known = {(allowance.account, allowance.allowance) for allowance in current.allowances}
    for allowance in previous.allowances:
        if allowance.account in accounts and (allowance.account, allowance.allowance) not in known:
            yield allowance
