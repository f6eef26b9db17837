"""What is wrong with a configuration, in words that never quote a value of it."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Steps: TypeAlias = tuple[str | int, ...]  # from the top of the file: keys and list indices

UNKNOWN_KEY: Final = "extra_forbidden"
_OWN_WORDS: Final = "wrong"
_FALLBACK: Final = "is not valid here"
_NOT_A_PROBLEM: Final = "default_factory_not_called"  # follows from another one
_WORDS: Final = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number, and not too large a one",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has a form that is not allowed here",
    "literal_error": "must be {expected}",
    "tuple_type": "must be a list",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
}
# A key of ours has no digit; one that has may be a secret that slid out of its place.
_SHOWN_KEY: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, or odd.

    Args:
        line: counted from 1; 0 if the file as a whole is meant.
        path: such as `targets[0].region`; empty if the document as a whole is meant.
        message: a sentence without a subject; it never quotes a value.
    """

    line: int
    path: str
    message: str

    def describe(self, file: str | os.PathLike[str]) -> str:
        """`FILE:LINE: path: message`, as compilers and editors write it."""
        where = f"{file}:{self.line}" if self.line else f"{file}"
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigError(Exception):
    """A configuration that cannot be used: `str()` has one line for each problem.

    Args:
        file: the configuration file.
        problems: all of them, in any order.
    """

    def __init__(self, file: str | os.PathLike[str], problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(problem.describe(file) for problem in self.problems))


def config_error(message: str) -> PydanticCustomError:
    """What a validator raises: `message` is shown to the user, so it must not quote the value."""
    return PydanticCustomError(_OWN_WORDS, "{message}", {"message": message})


def format_path(steps: Iterable[str | int]) -> str:
    """`("targets", 0, "region")` as `targets[0].region`."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (step if _SHOWN_KEY.fullmatch(step) else "…")
    return text


def suggestion(word: str, known: Iterable[str]) -> str:
    """The word that was meant, or all there are."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:64], names, n=1)
    return f'did you mean "{close[0]}"?' if close else f"known here: {', '.join(names)}"


def is_typo_of(word: str, step: str | int) -> bool:
    """Whether a key is likely a misspelt `word`."""
    return bool(difflib.get_close_matches(str(step)[:64], [word]))


@dataclass(frozen=True, slots=True)
class Finding:
    """What pydantic found, where, and in our words.

    Args:
        steps: fields and indices from the model down.
        kind: pydantic's type of error.
        message: as in `Problem`.
    """

    steps: Steps
    kind: str
    message: str


def explain(error: ValidationError, model: type[BaseModel]) -> Iterator[Finding]:
    """The errors of `model`, in pydantic's order; what all branches of a union say is one."""
    found: dict[Steps, Finding] = {}
    unions: set[Steps] = set()
    # Neither a value nor pydantic's own words enter the text: `input` serves by its type alone.
    for detail in error.errors(include_url=False):
        if detail["type"] == _NOT_A_PROBLEM:
            continue
        finding = Finding(_fields(detail, model), detail["type"], _message(detail, model))
        if finding.steps in found:
            message = f"{found[finding.steps].message}, or {finding.message}"
            finding = replace(finding, message=message)
        elif detail["loc"][-1:] != finding.steps[-1:]:
            unions.add(finding.steps)
        found[finding.steps] = finding
    for steps, finding in found.items():
        # What is wrong deeper down explains why no branch fits, or too few entries do.
        if not (steps in unions or finding.kind == "too_short") or not any(
            _is_below(other, steps) for other in found
        ):
            yield finding


def _is_below(steps: Steps, above: Steps) -> bool:
    return len(steps) > len(above) and steps[: len(above)] == above


def _fields(detail: ErrorDetails, model: type[BaseModel]) -> Steps:
    """The error's location without the names that pydantic gives the branches of a union."""
    steps: Steps = ()
    for step in detail["loc"]:
        if isinstance(step, int) or step in _known_keys(model, steps):
            steps = (*steps, step)
    return (*steps, detail["loc"][-1]) if detail["type"] == UNKNOWN_KEY else steps


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind = detail["type"]
    if kind == _OWN_WORDS:
        return detail["msg"]
    if kind == UNKNOWN_KEY:
        *parents, key = detail["loc"]
        return f"unknown key; {suggestion(str(key), _known_keys(model, parents))}"
    if kind == "string_type" and isinstance(detail["input"], (dict, tuple)):
        return "must be text"
    return _WORDS.get(kind, _FALLBACK).format_map(detail.get("ctx", {}))


def _known_keys(model: type[BaseModel], parents: Iterable[str | int]) -> Iterator[str]:
    """The keys of the model that stands at `parents` below `model`."""
    models = [model]
    for step in parents:
        fields = [each.model_fields[step] for each in models if step in each.model_fields]
        # A step that is no field is an index, or the name pydantic gives a branch of a union.
        if fields:
            models = [inner for field in fields for inner in _models(field.annotation)]
    return (key for each in models for key in each.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
