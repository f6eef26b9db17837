"""The configuration for others: its JSON Schema for editors, the running one for people."""

from __future__ import annotations

import operator
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import yaml
from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from exporter.config.descriptions import descriptions
from exporter.config.models import Defaults, Target
from exporter.config.types import Duration
from exporter.config.yaml_parser import resolved
from exporter.secrets import REDACTED, KeyFile, Secret, StaticKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.models import Config

_FASTEST: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_SECTIONS: Final = tuple(Defaults.model_fields)


def schema(vendors: Mapping[str, type[Target]]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration file with targets of these vendors."""
    settings: Any = reduce(operator.or_, vendors.values())
    if len(vendors) > 1:
        settings = Annotated[settings, Field(discriminator="vendor")]
    file = create_model(
        "Configuration",
        __base__=Defaults,
        targets=(tuple[settings, ...], Field(min_length=1, description="What is polled.")),
    )
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **file.model_json_schema(schema_generator=_Generator),
    }


def public_yaml(config: Config) -> str:
    """The running configuration, with every effective value and without any secret."""
    document = {
        **{name: plain(getattr(config, name)) for name in _SECTIONS},
        "targets": [_target(target, config) for target in config.targets],
    }
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def _target(target: Target, config: Config) -> dict[str, object]:
    """A target's keys; those of its sections that are the defaults' are left out."""
    fields = ((name, getattr(target, name)) for name in type(target).model_fields)
    return {
        name: plain(value)
        for name, value in fields
        if value is not None and not _is_default(value, getattr(config, name, None))
    }


def _is_default(value: object, default: object) -> bool:
    """Whether a target's section says what the file's own one says."""
    if not isinstance(value, BaseModel) or not isinstance(default, BaseModel):
        return False
    return _keys(value).items() <= _keys(default).items()


def _keys(section: BaseModel) -> dict[str, object]:
    return {name: plain(getattr(section, name)) for name in type(section).model_fields}


def plain(value: object) -> object:
    """A setting, or a whole section or target, as lists, mappings and scalars; no secret."""
    if isinstance(value, BaseModel):
        return _keys(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    match value:
        case Duration():
            return value.text
        case StaticKey():
            return value.variable or REDACTED
        case KeyFile():
            return str(value.path)
        case Secret() | Path() | date():
            return str(value)
        case _:
            return value


class _Generator(GenerateJsonSchema):
    """Pydantic's own, but for durations, which it would write as numbers, and descriptions."""

    def model_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401  as below
        found = super().model_schema(schema)
        fields = found["properties"]
        for name, words in descriptions(schema["cls"]).items():
            # Once is enough where the section that the field refers to says the same of itself.
            fields[name] = self.handle_ref_overrides({"description": words, **fields[name]})
        return found

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401  pydantic's own signature
        return dft.text if isinstance(dft, Duration) else super().encode_default(dft)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if resolved(text) == text else "'"  # by YAML 1.2; PyYAML sees to its own 1.1
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(_FASTEST):  # type: ignore[misc]  # one of two classes
    """Writes text so that it is read as text again, and never an alias."""

    yaml_representers: ClassVar = {**_FASTEST.yaml_representers, str: _text}

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  PyYAML's own signature
        return True
