"""A running configuration as YAML, without secrets."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import yaml
from pydantic import BaseModel

from exporter.config.models import Defaults
from exporter.config.types import Duration
from exporter.config.yaml_parser import resolve_scalar
from exporter.secrets import REDACTED, KeyFile, MissingKey, Secret, StaticKey

if TYPE_CHECKING:
    from exporter.config.models import Config, Target

_FASTEST: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_SECTIONS: Final = tuple(Defaults.model_fields)


def public_yaml(config: Config) -> str:
    """The running configuration, with every effective value and no secret."""
    document = {
        **{name: to_plain(getattr(config, name)) for name in _SECTIONS},
        "targets": [_target(target, config) for target in config.targets],
    }
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def _target(target: Target, config: Config) -> dict[str, object]:
    """A target's keys, without the sections that equal the defaults."""
    fields = ((name, getattr(target, name)) for name in type(target).model_fields)
    return {
        name: to_plain(value)
        for name, value in fields
        if value is not None and not _is_default(value, getattr(config, name, None))
    }


def _is_default(value: object, default: object) -> bool:
    """Whether a target's section has the values of the file's section."""
    if not isinstance(value, BaseModel) or not isinstance(default, BaseModel):
        return False
    return _keys(value).items() <= _keys(default).items()


def _keys(section: BaseModel) -> dict[str, object]:
    return {name: to_plain(getattr(section, name)) for name in type(section).model_fields}


def to_plain(value: object) -> object:
    """A setting, section or target as lists, mappings and scalars, without secrets."""
    if isinstance(value, BaseModel):
        return _keys(value)
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    match value:
        case Duration():
            return value.text
        case StaticKey():
            return value.variable or REDACTED
        case MissingKey():
            return value.variable
        case KeyFile():
            return str(value.path)
        case Secret() | Path() | date():
            return str(value)
        case _:
            return value


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if resolve_scalar(text) == text else "'"  # YAML 1.2; PyYAML quotes for 1.1
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(_FASTEST):  # type: ignore[misc]  # one of two classes
    """Quotes strings that would be read as another type, and writes no aliases."""

    yaml_representers: ClassVar = {**_FASTEST.yaml_representers, str: _represent_string}

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  PyYAML's own signature
        return True
