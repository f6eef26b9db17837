"""JSON as a contract reads it: nothing doubled, nothing beyond the standard, every type exact."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import lru_cache
from typing import Final, NoReturn

from exporter.model import malformed_response

# Years in which sums of days and years stay dates.
_DAY: Final = re.compile(r"(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}")
# A float64, which is what Prometheus keeps, is exact up to 2**53: also sums over a century are.
_LARGEST: Final = 10**11


def parse(body: bytes) -> object:
    """The document in `body`.

    Raises:
        PollError: malformed.
    """
    try:
        return json.loads(
            body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_doubles
        )
    except (ValueError, RecursionError):
        raise malformed_response("the reply is not JSON") from None


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def require_object(value: object, what: str) -> dict[str, object]:
    """`value` as an object, or PollError."""
    if type(value) is not dict:
        raise malformed_response(f"{what} is not an object")
    return value


def require_list(value: object, what: str) -> list[object]:
    """`value` as an array, or PollError."""
    if type(value) is not list:
        raise malformed_response(f"{what} is not an array")
    return value


def require_str(value: object, what: str) -> str:
    """`value` as a string, or PollError."""
    if type(value) is not str:
        raise malformed_response(f"{what} is not a string")
    return value


def require_int(value: object, what: str) -> int:
    """`value` as a whole number of a plausible size, or PollError."""
    if type(value) is not int or not -_LARGEST <= value <= _LARGEST:
        raise malformed_response(f"{what} is not a whole number")
    return value


def require_date(value: object, what: str) -> date:
    """`value` as a date of the form YYYY-MM-DD, or PollError."""
    try:
        return _day(require_str(value, what))
    except ValueError:
        raise malformed_response(f"{what} is not a date") from None


@lru_cache(maxsize=4096)
def _day(text: str) -> date:
    """The same few years of days come with every reply, hundreds at a time."""
    if not _DAY.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)
