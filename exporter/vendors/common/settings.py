"""What vendors' settings have in common beyond the model of a target."""

from __future__ import annotations

import re
from typing import Final, TypeVar

from pydantic import (
    AfterValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from exporter.config.errors import config_error

_V = TypeVar("_V")
_QUOTABLE: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")  # longer ones may be keys out of their place


def in_one_message(words: str) -> WrapValidator:
    """Has a union of words and lists say `words`, instead of what each of its branches lacks."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise config_error(words) from None

    return WrapValidator(validate)


def _once_each(value: _V) -> _V:
    named = set[object]()
    for snapshot in value if isinstance(value, tuple) else ():
        if snapshot in named:
            shown = str(snapshot) if _QUOTABLE.fullmatch(str(snapshot)) else "an entry"
            raise config_error(f"names {shown} twice")
        named.add(snapshot)
    return value


Unique: Final = AfterValidator(_once_each)
"""Has a list, where there is one, name nothing twice: each would be asked for and shown twice."""
