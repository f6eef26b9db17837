"""Configuration errors: every problem with its line; no message quotes a value."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, get_args

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Steps: TypeAlias = tuple[str | int, ...]  # from the top of the file: keys and list indices

UNKNOWN_KEY: Final = "extra_forbidden"
MISSING: Final = "missing"
_CONFIG_ERROR: Final = "config_error"
_FALLBACK: Final = "invalid value"
_FOLLOWS_FROM_ANOTHER: Final = "default_factory_not_called"
_MESSAGES: Final = {
    MISSING: "required key is missing",
    "string_type": "expected a string; put the value in quotes",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "number out of range",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "expected {min_length} or more characters",
    "string_too_long": "expected at most {max_length} characters",
    "string_pattern_mismatch": "invalid format",
    "literal_error": "expected {expected}",
    "tuple_type": "expected a list",
    "too_short": "expected {min_length} or more entries",
    "too_long": "expected at most {max_length} entries",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
}
# The exporter's keys have no digits; a key that has one may be a misplaced secret.
_QUOTABLE_KEY: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")


class Problem(NamedTuple):
    """One error or warning.

    Args:
        line: counted from 1; 0 for the file as a whole.
        path: such as `targets[0].region`; empty for the document as a whole.
        message: what is wrong; never quotes a value.
    """

    line: int
    path: str
    message: str

    def describe(self, file: str | os.PathLike[str]) -> str:
        """`FILE:LINE: path: message`, as compilers and editors write it."""
        where = f"{file}:{self.line}" if self.line else f"{file}"
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigError(Exception):
    """An invalid configuration: `str()` has one line for each problem.

    Args:
        file: the configuration file.
        problems: all of them, in any order.
    """

    def __init__(self, file: str | os.PathLike[str], problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(problem.describe(file) for problem in self.problems))


def config_error(message: str) -> PydanticCustomError:
    """The error for a validator to raise; `message` is shown, so it must not quote the value."""
    return PydanticCustomError(_CONFIG_ERROR, "{message}", {"message": message})


def format_path(steps: Iterable[str | int]) -> str:
    """`("targets", 0, "region")` as `targets[0].region`."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (step if _QUOTABLE_KEY.fullmatch(step) else "…")
    return text


def suggestion(name: str, valid: Iterable[str]) -> str:
    """The valid name that was probably meant, or all valid names."""
    names = sorted(valid)
    close = difflib.get_close_matches(name[:64], names, n=1)
    return f'did you mean "{close[0]}"?' if close else f"expected one of {', '.join(names)}"


def is_typo_of(name: str, step: str | int) -> bool:
    """Whether a key is probably a misspelt `name`."""
    return bool(difflib.get_close_matches(str(step)[:64], [name]))


class ModelError(NamedTuple):
    """An error that pydantic found, with our message.

    Args:
        steps: fields and indices from the model down.
        kind: pydantic's type of error.
        message: as in `Problem`.
    """

    steps: Steps
    kind: str
    message: str


def model_errors(error: ValidationError, model: type[BaseModel]) -> Iterator[ModelError]:
    """The errors of `model`, in pydantic's order; those of a union's branches become one."""
    found: dict[Steps, ModelError] = {}
    unions: set[Steps] = set()
    # Neither a value nor pydantic's own text enters a message: of `input` only the type is used.
    for detail in error.errors(include_url=False):
        if detail["type"] == _FOLLOWS_FROM_ANOTHER:
            continue
        each = _model_error(detail, model)
        if each.steps in found:
            each = each._replace(message=f"{found[each.steps].message}, or {each.message}")
        elif detail["loc"][-1:] != each.steps[-1:]:
            unions.add(each.steps)
        found[each.steps] = each
    for steps, each in found.items():
        # An error deeper down explains why no branch of a union fits, or entries are missing.
        if not (steps in unions or each.kind == "too_short") or not any(
            len(other) > len(steps) and other[: len(steps)] == steps for other in found
        ):
            yield each


def _model_error(detail: ErrorDetails, model: type[BaseModel]) -> ModelError:
    kind, location = detail["type"], detail["loc"]
    if kind == UNKNOWN_KEY:
        steps, models = _resolve(location[:-1], model)
        message = f"unknown key; {_key_suggestion(str(location[-1]), models)}"
        return ModelError((*steps, location[-1]), kind, message)
    if kind == _CONFIG_ERROR:
        message = detail["msg"]
    elif kind == "string_type" and isinstance(detail["input"], (dict, tuple)):
        message = "expected a string"
    else:
        message = _MESSAGES.get(kind, _FALLBACK).format_map(detail.get("ctx", {}))
    return ModelError(_resolve(location, model)[0], kind, message)


def _resolve(location: Steps, model: type[BaseModel]) -> tuple[Steps, list[type[BaseModel]]]:
    """The steps of a location, without pydantic's names for the branches of unions.

    Also the models that may stand there, below `model`.
    """
    steps, models = list[str | int](), [model]
    for step in location:
        fields = [each.model_fields[step] for each in models if step in each.model_fields]
        if fields or isinstance(step, int):
            steps.append(step)
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
    return tuple(steps), models


def _key_suggestion(key: str, models: list[type[BaseModel]]) -> str:
    """The section to which the key belongs, or a similar key."""
    sections = sorted(
        f'"{name}"'
        for each in models
        for name, field in each.model_fields.items()
        if key in _keys(_models_in(field.annotation))
    )
    if sections:
        return f"it belongs under {' or '.join(sections)}"
    return suggestion(key, _keys(models))


def _keys(models: Iterable[type[BaseModel]]) -> Iterator[str]:
    return (key for each in models for key in each.model_fields)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
