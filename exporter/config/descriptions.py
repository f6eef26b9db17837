"""What the fields of a model mean: their docstrings, read from its source.

Pydantic can read them, too, but does so as models are made: a tenth of the time that a start may
take, for what the schema alone shows.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings of a model's fields, inherited ones included, by the fields' names.

    A field that a model declares anew has the docstring it has there, or none.
    """
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        found |= dict(_own(each))
    return {name: found[name] for name in model.model_fields if found.get(name)}


def _own(kind: type) -> Iterator[tuple[str, str]]:
    """The fields that a class declares itself; the text of one without a docstring is empty."""
    try:
        (tree,) = ast.parse(dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):  # made by a call, or in C
        return
    assert isinstance(tree, ast.ClassDef)  # noqa: S101  the source of a class
    for statement, following in pairwise([*tree.body, ast.Pass()]):
        match statement, following:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, inspect.cleandoc(text)
            case ast.AnnAssign(ast.Name(name)), _:
                yield name, ""
