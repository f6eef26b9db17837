"""Log lines in logfmt or JSON: time, level, message, and the fields a record was given."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_BARE: Final = re.compile(r"[^\s\"=\\\x00-\x20\x7f]+")


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What a line says, in order: `extra` names the fields after `msg`."""
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    known: dict[str, object] = {
        "ts": moment.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "msg": record.getMessage(),
        **extra,
    }
    if record.exc_info and record.exc_info[0]:
        # The type alone: the text of an exception may quote what was sent or received.
        known["exception"] = record.exc_info[0].__name__
    return known


class Logfmt(logging.Formatter):
    """`key=value` pairs; a value with blanks or quotes is written as a JSON string."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return " ".join(f"{key}={_logfmt_value(value)}" for key, value in fields(record).items())


def _logfmt_value(value: object) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return json.dumps(fields(record), ensure_ascii=False, default=str)


FORMATS: Final[Mapping[str, type[logging.Formatter]]] = {"logfmt": Logfmt, "json": Json}
LEVELS: Final = ("debug", "info", "warning", "error")


def set_up(level: str, form: Literal["logfmt", "json"], stream: TextIO | None = None) -> None:
    """Write the exporter's own records of `level` and above to `stream` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(FORMATS[form]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("exporter").setLevel(level.upper())
    # These quote headers and addresses at info and debug, and a vendor may have put a key there.
    for name in ("httpx", "httpcore", "hpack", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
