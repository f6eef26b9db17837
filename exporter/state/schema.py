"""What is kept of a target across restarts, as the contents of a file and back."""

from __future__ import annotations

import json
import secrets
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

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
)
from exporter.polling.poll import CREDENTIAL_FAILURES
from exporter.secrets import StaticKey
from exporter.state.daily_usage import UsageHistory
from exporter.state.store import TargetState
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from exporter.config.models import Target
    from exporter.state.store import TargetSnapshot

SALT_BYTES: Final = 16


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class _KeptReading(_Part):
    """A reading; its samples are a metric's name, labels and a value."""

    samples: tuple[tuple[str, tuple[str, ...], float], ...]
    allowances: tuple[Allowance, ...]
    anomalies: tuple[Anomaly, ...]
    scope_failures: tuple[ScopeFailure, ...] = ()
    notes: tuple[str, ...] = ()


class _KeptPoll(_Part):
    """The last poll; without a failure it found the reading."""

    failure: PollFailure | None
    duration: float
    requests: int
    at: float
    next_at: float


class _File(_Part):
    """What a file holds.

    `identity` tells the target's settings and key as a salted digest; `key_file` is what
    `KeySource.fingerprint` said of the key's file; `seen` has account, allowance and use.
    """

    version: Literal[1]
    target: str
    salt: str
    identity: str
    key_file: tuple[int, ...] | None
    last: _KeptPoll
    consecutive_failures: int
    poll_result: _KeptReading | None
    succeeded_at: float | None
    seen: tuple[tuple[str, str, UsageHistory], ...]


def identity(target: Target, salt: str) -> str:
    """A digest that differs for a target with any other setting, or with another fixed key.

    A key in a file may be rotated and is told by its path alone. The salt (hexadecimal) makes
    the digest useless to whoever looks for a key.
    """
    key = target.key.read().reveal() if isinstance(target.key, StaticKey) else None
    told = json.dumps([to_plain(target), key])
    return blake2b(told.encode(), digest_size=16, salt=bytes.fromhex(salt)).hexdigest()


def dump_state(snapshot: TargetSnapshot) -> bytes:
    """The contents of the file for a target that has been polled."""
    target, state, _ = snapshot
    assert state.last_poll is not None  # noqa: S101  only what was polled is kept
    salt = secrets.token_hex(SALT_BYTES)
    fingerprint = target.key.fingerprint()
    return (
        _File(
            version=1,
            target=target.name,
            salt=salt,
            identity=identity(target, salt),
            key_file=fingerprint if isinstance(fingerprint, tuple) else None,
            last=_kept_poll(state.last_poll),
            consecutive_failures=state.consecutive_failures,
            poll_result=_kept_reading(state.result) if state.result else None,
            succeeded_at=state.succeeded_at,
            seen=tuple((*key, use) for key, use in state.daily_usage.items()),
        )
        .model_dump_json()
        .encode()
    )


def _kept_poll(last: PollOutcome) -> _KeptPoll:
    result, duration, requests, at, next_at = last
    failure = result if isinstance(result, PollFailure) else None
    return _KeptPoll(failure=failure, duration=duration, requests=requests, at=at, next_at=next_at)


def _kept_reading(poll_result: PollResult) -> _KeptReading:
    samples = tuple((metric.name, labels, value) for metric, labels, value in poll_result.samples)
    return _KeptReading(
        samples=samples,
        allowances=poll_result.allowances,
        anomalies=poll_result.anomalies,
        scope_failures=poll_result.scope_failures,
        notes=poll_result.notes,
    )


def load_state(contents: bytes, target: Target, now: float, clock: float) -> TargetState | None:
    """The state that a file's contents tell of a target; None if they are not about it as it is.

    Args:
        contents: whatever the file holds.
        target: the target as configured now.
        now: Unix seconds.
        clock: the same moment by the monotonic clock.

    Raises:
        ValueError: the contents are damaged, or of another version.
    """
    kept = _File.model_validate_json(contents)
    if kept.identity != identity(target, kept.salt):
        return None
    if kept.last.at - now > target.poll.interval:
        return None  # the clock was put back: nothing tells how old this is
    if not all(use.days for *_, use in kept.seen):
        raise ValueError("use without days")
    poll_result = _poll_result(kept.poll_result, target) if kept.poll_result else None
    age = max(0.0, now - (kept.succeeded_at or 0.0))
    return TargetState(
        last_poll=_last_poll(kept, poll_result, target, now),
        result=poll_result,
        succeeded_at=kept.succeeded_at,
        stale_at=clock + target.poll.stale_after - age,
        consecutive_failures=kept.consecutive_failures,
        daily_usage={(account, allowance): use for account, allowance, use in kept.seen},
    )


def _last_poll(
    kept: _File, poll_result: PollResult | None, target: Target, now: float
) -> PollOutcome:
    result = kept.last.failure or poll_result
    if result is None:
        raise ValueError("a poll that neither failed nor found anything")
    last = PollOutcome(
        result, kept.last.duration, kept.last.requests, kept.last.at, kept.last.next_at
    )
    is_refused = isinstance(result, PollFailure) and result.reason in CREDENTIAL_FAILURES
    if is_refused and kept.key_file != target.key.fingerprint():
        return last._replace(next_at=now)  # the key changed meanwhile: it is tried at once
    return last


def _poll_result(kept: _KeptReading, target: Target) -> PollResult:
    metrics = {metric.name: metric for metric in VENDORS[target.vendor].metrics}
    samples = []
    for name, labels, value in kept.samples:
        if name not in metrics or len(labels) != len(metrics[name].labels) - 1:
            raise ValueError("a sample of no metric there is")
        samples.append(Sample(metrics[name], labels, value))
    try:
        return PollResult(
            tuple(samples), kept.allowances, kept.anomalies, kept.scope_failures, kept.notes
        )
    except PollError as error:
        raise ValueError(error.detail) from None
