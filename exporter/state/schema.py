"""The contents of a state file: a target's state as JSON, and back."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from exporter.config.serialize import to_plain
from exporter.model import (
    Allowance,
    Anomaly,
    PollError,
    PollFailure,
    PollOutcome,
    PollResult,
    Sample,
    ScopeFailure,
    ScopeUsage,
    UsageHistory,
    compact_days,
)
from exporter.secrets import StaticKey
from exporter.state.daily_usage import ObservedUsage
from exporter.state.store import TargetState
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.config.models import Target
    from exporter.state.store import TargetSnapshot

SALT_BYTES: Final = 16


class _Saved(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )


class _SavedResult(_Saved):
    """A `PollResult`; a sample is the metric's name, the labels and the value."""

    samples: tuple[tuple[str, tuple[str, ...], float], ...]
    allowances: tuple[Allowance, ...]
    anomalies: tuple[Anomaly, ...]
    scope_failures: tuple[ScopeFailure, ...] = ()
    notes: tuple[str, ...] = ()
    scopes: tuple[ScopeUsage, ...] = ()


class _SavedPoll(_Saved):
    """A `PollOutcome`; without a failure, its result is that of the file."""

    failure: PollFailure | None
    duration: float
    requests: int
    at: float
    next_at: float


class _StateFile(_Saved):
    """The whole file.

    `digest` is the `target_digest`, `key_file` the fingerprint of a key file, and `daily_usage`
    has entries of account, allowance and usage.
    """

    version: Literal[1]
    target: str
    salt: str
    digest: str
    key_file: tuple[int, ...] | None
    last_poll: _SavedPoll
    consecutive_failures: int
    result: _SavedResult | None
    succeeded_at: float | None
    failing_since: float | None = None
    daily_usage: tuple[tuple[str, str, ObservedUsage], ...]


def target_digest(target: Target, salt: str) -> str:
    """A digest of a target's settings and its static key.

    A key in a file may be rotated: only its path counts. The salt (hexadecimal) prevents that
    keys are guessed from their digests.
    """
    key = target.key.read().reveal() if isinstance(target.key, StaticKey) else None
    contents = json.dumps([to_plain(target), key])
    return blake2b(contents.encode(), digest_size=16, salt=bytes.fromhex(salt)).hexdigest()


def dump_state(snapshot: TargetSnapshot) -> bytes:
    """The contents of the file of a target that has been polled."""
    target, state, _ = snapshot
    assert state.last_poll is not None  # noqa: S101  only polled targets are saved
    salt = secrets.token_hex(SALT_BYTES)
    fingerprint = target.key.fingerprint()
    return (
        _StateFile(
            version=1,
            target=target.name,
            salt=salt,
            digest=target_digest(target, salt),
            key_file=fingerprint if isinstance(fingerprint, tuple) else None,
            last_poll=_dump_poll(state.last_poll),
            consecutive_failures=state.consecutive_failures,
            result=_dump_result(state.result) if state.result else None,
            succeeded_at=state.succeeded_at,
            failing_since=state.failing_since,
            daily_usage=tuple((*key, usage) for key, usage in state.daily_usage.items()),
        )
        .model_dump_json()
        .encode()
    )


def _dump_poll(poll: PollOutcome) -> _SavedPoll:
    result, duration, requests, at, next_at = poll
    failure = result if isinstance(result, PollFailure) else None
    return _SavedPoll(failure=failure, duration=duration, requests=requests, at=at, next_at=next_at)


def _dump_result(result: PollResult) -> _SavedResult:
    samples = tuple((metric.name, labels, value) for metric, labels, value in result.samples)
    return _SavedResult(
        samples=samples,
        allowances=_allowances(result.allowances, tuple),
        anomalies=result.anomalies,
        scope_failures=result.scope_failures,
        notes=result.notes,
        scopes=_scopes(result.scopes, tuple),
    )


_Days: TypeAlias = "Callable[[Sequence[int]], Sequence[int]]"


def _allowances(allowances: Iterable[Allowance], convert: _Days) -> tuple[Allowance, ...]:
    """The allowances, with the days of their histories converted."""
    return tuple(
        replace(allowance, history=_history(allowance.history, convert)) for allowance in allowances
    )


def _scopes(scopes: Iterable[ScopeUsage], convert: _Days) -> tuple[ScopeUsage, ...]:
    return tuple(scope._replace(history=_history(scope.history, convert)) for scope in scopes)


def _history(history: UsageHistory | None, convert: _Days) -> UsageHistory | None:
    return history and replace(history, days=convert(history.days))


def load_state(contents: bytes, target: Target, now: float, clock: float) -> TargetState | None:
    """The state in a file; None if it is of a target with other settings, or its age is unknown.

    Args:
        contents: of the file.
        target: as configured now.
        now: Unix seconds.
        clock: the same time by the clock of the `StateStore`.

    Raises:
        ValueError: the contents are damaged, or of another version.
    """
    saved = _StateFile.model_validate_json(contents)
    if saved.digest != target_digest(target, saved.salt):
        return None
    if saved.last_poll.at - now > target.poll.interval:
        return None  # the wall clock was set back
    if not all(usage.days for *_, usage in saved.daily_usage):
        raise ValueError("daily usage without days")
    result = _load_result(saved.result, target) if saved.result else None
    age = max(0.0, now - (saved.succeeded_at or 0.0))
    return TargetState(
        last_poll=_load_poll(saved, result, target, now),
        result=result,
        succeeded_at=saved.succeeded_at,
        failing_since=saved.failing_since,
        stale_at=clock + target.poll.stale_after - age,
        consecutive_failures=saved.consecutive_failures,
        daily_usage={(account, name): usage for account, name, usage in saved.daily_usage},
    )


def _load_poll(
    saved: _StateFile, good_result: PollResult | None, target: Target, now: float
) -> PollOutcome:
    poll = saved.last_poll
    result = poll.failure or good_result
    if result is None:
        raise ValueError("a poll without failure and result")
    auth_failed = poll.failure is not None and poll.failure.reason.is_credential
    key_changed = saved.key_file != target.key.fingerprint()
    next_at = now if auth_failed and key_changed else poll.next_at
    return PollOutcome(result, poll.duration, poll.requests, poll.at, next_at)


def _load_result(saved: _SavedResult, target: Target) -> PollResult:
    metrics = {metric.name: metric for metric in VENDORS[target.vendor].metrics}
    samples = []
    for name, labels, value in saved.samples:
        if name not in metrics or len(labels) != len(metrics[name].labels) - 1:
            raise ValueError("a sample of an unknown metric")
        samples.append(Sample(metrics[name], labels, value))
    try:
        return PollResult(
            tuple(samples),
            _allowances(saved.allowances, compact_days),
            saved.anomalies,
            saved.scope_failures,
            saved.notes,
            _scopes(saved.scopes, compact_days),
        )
    except PollError as error:
        raise ValueError(error.detail) from None
    except OverflowError:
        raise ValueError("a daily figure is out of range") from None
