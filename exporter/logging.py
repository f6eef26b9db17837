"""Log lines in logfmt or JSON: time, level, message, and the fields in `extra`."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import TextIO

_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
}
_UNQUOTED: Final = re.compile(r"[^\s\"=\\\x00-\x20\x7f]+")


def fields(record: logging.LogRecord) -> dict[str, object]:
    """The fields of a line, in order; those in `extra` come last."""
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    extra = {
        name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES
    }
    line: dict[str, object] = {
        "ts": time.replace("+00:00", "Z"),
        "level": _LEVEL_NAMES.get(record.levelname, record.levelname.lower()),
        "msg": record.getMessage(),
        **extra,
    }
    if record.exc_info and record.exc_info[0]:
        line["exception"] = _exception(record.exc_info[0], record.exc_info[2])
    return line


def _exception(kind: type[BaseException], traceback: TracebackType | None) -> str:
    """Type and place alone: the text of an exception may quote what was sent or received."""
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    if traceback is None:
        return kind.__name__
    file = Path(traceback.tb_frame.f_code.co_filename).name
    return f"{kind.__name__} ({file}:{traceback.tb_lineno})"


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


_LEVEL_NAMES: Final = {"WARNING": "warn"}  # as the official exporters have it
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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("exporter").setLevel(level.upper())
    # At info and debug these quote headers and addresses, which may contain a key.
    for name in ("httpx", "httpcore", "hpack", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
