"""The JSON Schema of a configuration, with the docstrings of the models' fields."""

from __future__ import annotations

import ast
import inspect
import operator
from functools import reduce
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from exporter.config.models import Defaults, Model, Target
from exporter.config.types import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import core_schema


def schema(vendors: Mapping[str, type[Target]]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration file with targets of these vendors."""
    settings: Any = reduce(operator.or_, vendors.values())
    if len(vendors) > 1:
        settings = Annotated[settings, Field(discriminator="vendor")]
    targets = Annotated[tuple[settings, ...], Field(min_length=1, description="What is polled.")]
    file = create_model("Configuration", __base__=Defaults, targets=targets)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **file.model_json_schema(schema_generator=_Generator),
    }


class _Generator(GenerateJsonSchema):
    """Pydantic's own generator, with defaults of durations as text, and fields' docstrings.

    Pydantic's `use_attribute_docstrings` would read the source of each model at every start.
    """

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401  pydantic's own signature
        return dft.text if isinstance(dft, Duration) else super().encode_default(dft)

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        found = super().model_schema(schema)
        bases = reversed([base for base in schema["cls"].__mro__ if issubclass(base, Model)])
        docstrings = {name: text for base in bases for name, text in _field_docstrings(base)}
        for name, field in found.get("properties", {}).items():
            if name in docstrings:
                field.setdefault("description", docstrings[name])
        return found


def _field_docstrings(model: type[Model]) -> Iterator[tuple[str, str]]:
    """The fields in the class's own source that have a docstring, with it."""
    try:
        source = inspect.getsource(model)
    except OSError:  # `create_model` made the class
        return
    (definition,) = ast.parse(dedent(source)).body
    for statements in pairwise(cast("ast.ClassDef", definition).body):
        match statements:
            case (
                ast.AnnAssign(target=ast.Name(name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
