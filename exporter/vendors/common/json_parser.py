"""JSON responses: every type exact, and what cannot be read costs no more than itself."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import lru_cache
from typing import Final

from exporter.model import malformed_response
from exporter.vendors.common.text import describe_document

UNREADABLE: Final = object()
"""The value of a number that no float64 holds, or of a member that an object has twice."""

# Years in which sums of days and years stay dates. A time of the day may follow.
_DATE: Final = re.compile(r"((?:19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2})(?:[T ].{1,32})?")
_WHOLE: Final = re.compile(r"(-?[0-9]{1,12})(?:\.0{1,12})?")
# A float64, which is what Prometheus keeps, is exact up to 2**53: also sums over a century are.
_MAX_INT: Final = 10**11
_MAX_DIGITS: Final = 20


def parse(body: bytes) -> object:
    """The document in `body`.

    Raises:
        PollError: malformed.
    """
    try:
        return json.loads(
            body.decode("utf-8-sig", errors="replace"),
            strict=False,
            parse_constant=lambda _: UNREADABLE,
            parse_int=lambda text: int(text) if len(text) <= _MAX_DIGITS else UNREADABLE,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):
        raise malformed_response(f"the response is {describe_document(body)}, not JSON") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        members[name] = value if members.get(name, value) == value else UNREADABLE
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


def read_int(value: object) -> int | None:
    """`value` as a whole number, also where it is written as `10.0` or `"10"`; else None."""
    if type(value) is int:
        number = value
    elif type(value) is float and value.is_integer():
        number = int(value)
    elif type(value) is str and (match := _WHOLE.fullmatch(value)):
        number = int(match[1])
    else:
        return None
    return number if -_MAX_INT <= number <= _MAX_INT else None


def read_date(value: object) -> date | None:
    """`value` as a date `YYYY-MM-DD`, also where a time of the day follows; else None."""
    return _date(value) if type(value) is str else None


@lru_cache(maxsize=4096)
def _date(text: str) -> date | None:
    """Cached: the same few years of days come with every response, hundreds at a time."""
    match = _DATE.fullmatch(text)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None
