"""What the status of a refusal means, and how long a vendor asks us to wait."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from exporter.model import FailureReason

_EXACT: Final = {401: FailureReason.AUTH, 403: FailureReason.AUTH, 429: FailureReason.RATE_LIMITED}
_CLASSES: Final = {
    3: FailureReason.REDIRECT,
    4: FailureReason.CLIENT_ERROR,
    5: FailureReason.SERVER_ERROR,
}
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_DATE: Final = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT")


def reason_of_status(status: int) -> FailureReason:
    """The reason for a status other than 200; one that cannot be an answer is malformed."""
    return _EXACT.get(status) or _CLASSES.get(status // 100, FailureReason.MALFORMED)


def retry_after(value: str, now: float) -> float | None:
    """Seconds that a `Retry-After` asks for, at least 0; None where it is missing or nonsense.

    Args:
        value: of the header: whole seconds, or a date as HTTP writes them today.
        now: Unix seconds.
    """
    value = value.strip(" \t")
    if _SECONDS.fullmatch(value):
        return float(value)
    if not _DATE.fullmatch(value):
        return None
    try:
        moment = datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now)
