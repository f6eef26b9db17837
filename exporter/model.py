"""The model: what a poll yields, in frozen values that are valid once built.

Every other module uses it; it imports nothing of ours.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence  # noqa: TC003  pydantic reads the annotations
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Literal, NamedTuple, TypeAlias


class FailureReason(StrEnum):
    """Why a poll failed: a closed list, the label `reason` of the metrics."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    VENDOR_ERROR = "vendor_error"
    SECRET = "secret"  # noqa: S105  a reason's name, no password
    INTERNAL = "internal"

    @property
    def is_credential(self) -> bool:
        """Whether only another API key, or a readable one, helps."""
        return self in {FailureReason.AUTH, FailureReason.SECRET}


class Anomaly(StrEnum):
    """What differs from the vendor's reference in a response that was accepted: a closed list."""

    UNKNOWN_FIELD = "unknown_field"
    UNREADABLE_FIELD = "unreadable_field"
    TOTAL_MISMATCH = "total_mismatch"
    AVAILABLE_MISMATCH = "available_mismatch"
    WINDOW_MISMATCH = "window_mismatch"
    SCOPE_MISMATCH = "scope_mismatch"
    DUPLICATE_DAY = "duplicate_day"
    DUPLICATE_PLAN = "duplicate_plan"


class PollFailure(NamedTuple):
    """How a poll failed.

    Args:
        reason: one of the closed list.
        detail: text that is safe to log and to show; it never quotes a secret.
        retry_after: seconds the vendor asked to wait, if it did.
    """

    reason: FailureReason
    detail: str
    retry_after: float | None = None


class PollError(Exception):
    """Ends a poll with a `PollFailure`; see there for the arguments."""

    def __init__(
        self, reason: FailureReason, detail: str, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after

    @property
    def failure(self) -> PollFailure:
        """What remains of the error: no traceback, and so no frame that holds a key."""
        return PollFailure(self.reason, self.detail, self.retry_after)


def malformed_response(what: str) -> PollError:
    """The failure of a response that is not what the vendor's reference says."""
    return PollError(FailureReason.MALFORMED, what)


Kind: TypeAlias = Literal["counter", "gauge", "info"]


@dataclass(frozen=True, slots=True, eq=False)
class MetricFamily:
    """One metric of the catalogue: equal to itself alone, so that looking it up is cheap.

    Args:
        name: as exposed, with `_total` for a counter and `_info` for an info.
        kind: `counter`, `gauge`, or `info` (a gauge that is always 1).
        help: one sentence in one line, naming the source field where a vendor reports the value.
        labels: label names in the order in which samples give their values.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """One value of a metric. `labels` are the values after `target`, in the metric's order."""

    metric: MetricFamily
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class UsageHistory:
    """Daily use of an allowance, in this and earlier periods.

    Args:
        at: when the figures were read, Unix seconds.
        today: midnight that began the current day, Unix seconds.
        used_today: use of the current day so far.
        days: use of the complete days before it, oldest first; a refund may make one negative.
            Days before the first use are unknown, not days without use.
        earlier_per_day: mean use per day before `days`, where only a total is known.
        earlier_days: for how many days; 0 where it is unknown.
    """

    at: float
    today: float
    used_today: float
    days: Sequence[int]
    earlier_per_day: float = 0.0
    earlier_days: float = 0.0

    @property
    def all_days(self) -> list[float]:
        """Use of each day, ending with the current one so far."""
        return [*self.days, self.used_today]


def compact_days(days: Sequence[int]) -> array[int]:
    """The same, in two bytes a day where they fit: a year of each target is held."""
    for code in ("h", "i"):
        with suppress(OverflowError):
            return array(code, days)
    return array("q", days)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of something that was purchased: one shape for every vendor.

    Args:
        account: the organization's or group's identifier.
        allowance: `credits`, or the plan's or pack's identifier.
        allowed, used, available: in `unit`; None where unknown, or unlimited in case of `allowed`.
            `available` is never below 0.
        burn_per_day: expected use per day, if known.
        exhaustion: when it runs out, Unix seconds; None while nothing is used.
        exhaustion_earliest, exhaustion_latest: in 8 of 10 cases it runs out between these.
        projected_used: what is expected to be used when the period ends, if known.
        renews: whether the same allowance follows at its end; False where that is unknown.
        start, end: when the period, plan or prepayment begins and ends, Unix seconds, if known.
        previous_start, previous_used: of the period that ended at `start`, if known.
        account_name, allowance_name: names for people; empty where unknown.
        unit: what is counted, plural: `credits` or `documents`.
        cumulative_only: whether the vendor reports a total but no use by day, so that the exporter
            derives the daily use itself.
        history: the daily use that the forecast was made from, if known. Not compared: what follows
            from it is.
    """

    account: str
    allowance: str
    allowed: float | None
    used: float | None
    available: float | None
    unit: str
    _: KW_ONLY
    account_name: str = ""
    allowance_name: str = ""
    burn_per_day: float | None = None
    exhaustion: float | None = None
    exhaustion_earliest: float | None = None
    exhaustion_latest: float | None = None
    projected_used: float | None = None
    renews: bool = False
    start: float | None = None
    end: float | None = None
    previous_start: float | None = None
    previous_used: float | None = None
    cumulative_only: bool = False
    history: UsageHistory | None = field(default=None, compare=False, repr=False)

    @property
    def ratio(self) -> float | None:
        """What is left, 0 to 1; None where that is unknown, unlimited, or nothing was purchased."""
        if not self.allowed or self.available is None:
            return None
        return min(self.available / self.allowed, 1.0)

    @property
    def projected_used_ratio(self) -> float | None:
        """The expected use by the period's end, above 1 if that is more than was purchased.

        If the figures disagree, what is not available counts as used, so that the ratio is above
        1 exactly if the allowance runs out before.
        """
        if not self.allowed or self.projected_used is None:
            return None
        if not self.available or self.used is None:
            return self.projected_used / self.allowed
        more = self.projected_used - self.used
        return max(0.0, (self.allowed - self.available + more) / self.allowed)


class ScopeFailure(NamedTuple):
    """A part of a target that could not be read by a poll that succeeded otherwise.

    Args:
        scope: for people, such as `workspace wSp1`.
        reason, detail: as in `PollFailure`.
        label, value: select the samples of the scope: those with this value of this label; an
            empty value means any.
        retry_after: seconds the vendor asked to wait, if it did.
        succeeded_at: when the scope was read last, Unix seconds; set by the state that keeps its
            values.
    """

    scope: str
    reason: FailureReason
    detail: str
    label: str
    value: str
    retry_after: float | None = None
    succeeded_at: float | None = None


class ScopeUsage(NamedTuple):
    """Daily use of a target or a part of it, whether there is an allowance or not.

    Args:
        label, value: the scope, as in `ScopeFailure`, such as `workspace` and `wSp1`.
        name: for people; empty where unknown.
        unit: as in `Allowance`.
        history: its daily use; None where that of the current day is unknown.
    """

    label: str
    value: str
    name: str
    unit: str
    history: UsageHistory | None


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a successful poll found out.

    Args:
        samples: what the vendor reports.
        allowances: what is left of what was purchased.
        anomalies: how the responses differ from the vendor's reference.
        scope_failures: parts of the target that could not be read.
        notes: for people: which fields cannot be read, and why a configured allowance is absent.
        scopes: daily use of the whole target, then of its parts, where the vendor reports it.

    Raises:
        PollError: malformed, when two samples or two allowances would be the same series, or a
            figure is too large to be one.
    """

    samples: tuple[Sample, ...]
    allowances: tuple[Allowance, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    scope_failures: tuple[ScopeFailure, ...] = ()
    notes: tuple[str, ...] = ()
    scopes: tuple[ScopeUsage, ...] = ()

    def __post_init__(self) -> None:
        series = {(sample.metric.name, sample.labels) for sample in self.samples}
        accounts = {(each.account, each.allowance) for each in self.allowances}
        if len(series) < len(self.samples) or len(accounts) < len(self.allowances):
            raise malformed_response("the response has the same series twice")
        if not all(isfinite(figure) for figure in self._figures()):
            raise malformed_response("a figure in the response is out of range")

    def _figures(self) -> Iterator[float]:
        yield from (sample.value for sample in self.samples)
        for each in self.allowances:
            yield from (each.allowed or 0, each.used or 0, each.available or 0)
            yield from (each.burn_per_day or 0, each.exhaustion or 0)
            yield from (each.exhaustion_earliest or 0, each.exhaustion_latest or 0)
            yield each.projected_used or 0
            yield from (each.start or 0, each.end or 0)


class HistoricalResult(NamedTuple):
    """A result that was valid from `begin` until before `end`, Unix seconds."""

    begin: float
    end: float
    poll_result: PollResult


class PollOutcome(NamedTuple):
    """How one poll of one target ended.

    Args:
        result: the result, or the failure.
        duration: seconds the poll took.
        requests: calls made to the vendor.
        at: when it ended, Unix seconds.
        next_at: when the next poll is due, Unix seconds.
    """

    result: PollResult | PollFailure
    duration: float
    requests: int
    at: float
    next_at: float
