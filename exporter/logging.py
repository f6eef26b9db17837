"""Log lines in logfmt or JSON: time, level, message, and the fields in `extra`."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
}
_EXCEPTION_INTERVAL: Final = 60.0  # seconds
_UNQUOTED: Final = re.compile(r"[^\s\"=\\\x00-\x20\x7f]+")


def fields(record: logging.LogRecord) -> dict[str, object]:
    """The fields of a line, in order; those in `extra` come last."""
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    extra = {
        name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES
    }
    line: dict[str, object] = {
        "ts": time.replace("+00:00", "Z"),
        "level": record.levelname.lower().replace("warning", "warn"),  # as in official exporters
        "msg": record.getMessage(),
        **extra,
    }
    if record.exc_info and record.exc_info[1]:
        line["exception"] = describe_exception(record.exc_info[1])
    return line


def describe_exception(error: BaseException) -> str:
    """An exception's type and place, as `TypeError (file.py:123)`.

    Never its text, which may quote what was sent or received.
    """
    name, places = type(error).__name__, list(walk_tb(error.__traceback__))
    if not places:
        return name
    frame, line = places[-1]
    return f"{name} ({Path(frame.f_code.co_filename).name}:{line})"


class ExceptionRateLimit(logging.Filter):
    """Drops records of an exception whose type and place were logged less than a minute ago.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        if not record.exc_info or not record.exc_info[1]:
            return True
        now, exception = self._clock(), describe_exception(record.exc_info[1])
        if now - self._logged_at.get(exception, float("-inf")) < _EXCEPTION_INTERVAL:
            return False
        self._logged_at[exception] = now
        return True


class Logfmt(logging.Formatter):
    """`key=value` pairs; values with spaces or quotes are JSON strings."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        return " ".join(f"{key}={_logfmt_value(value)}" for key, value in fields(record).items())


def _logfmt_value(value: object) -> str:
    text = str(value)
    return text if _UNQUOTED.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class Json(logging.Formatter):
    """A JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        return json.dumps(fields(record), ensure_ascii=False, default=str)


FORMATS: Final[Mapping[str, type[logging.Formatter]]] = {"logfmt": Logfmt, "json": Json}
LEVELS: Final = ("debug", "info", "warn", "error")


def set_up(
    level: Literal["debug", "info", "warn", "error"],
    log_format: Literal["logfmt", "json"],
    stream: TextIO | None = None,
) -> None:
    """Write the exporter's own records of `level` and above to `stream` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(FORMATS[log_format]())
    handler.addFilter(ExceptionRateLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("exporter").setLevel(level.upper())
    # At info and debug these quote headers and addresses, which may contain a key.
    for name in ("httpx", "httpcore", "hpack", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
