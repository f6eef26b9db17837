"""Validators that the settings of several vendors use."""

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
_QUOTABLE: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")  # longer ones may be misplaced keys


def in_one_message(message: str) -> WrapValidator:
    """Replaces the errors of all branches of a union by one message."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise config_error(message) from None

    return WrapValidator(validate)


def _unique(value: _V) -> _V:
    named = set[object]()
    for entry in value if isinstance(value, tuple) else ():
        if entry in named:
            shown = str(entry) if _QUOTABLE.fullmatch(str(entry)) else "an entry"
            raise config_error(f"names {shown} twice")
        named.add(entry)
    return value


Unique: Final = AfterValidator(_unique)
"""Rejects a list that names something twice: it would be requested and exposed twice."""
