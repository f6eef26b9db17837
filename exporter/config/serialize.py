"""A running configuration as YAML, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from exporter.config.models import Defaults
from exporter.config.yaml_parser import resolve_scalar

if TYPE_CHECKING:
    from pydantic import BaseModel

    from exporter.config.models import Config

_FASTEST: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def public_yaml(config: Config) -> str:
    """The running configuration, with every effective value and no secret.

    A target has no section that equals the defaults.
    """
    sections = {name: to_plain(getattr(config, name)) for name in Defaults.model_fields}
    targets = [
        {
            name: value
            for name, value in to_plain(target).items()
            if value is not None
            and not (name in sections and value.items() <= sections[name].items())
        }
        for target in config.targets
    ]
    document = {**sections, "targets": targets}
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def to_plain(settings: BaseModel) -> dict[str, Any]:
    """A section or target as lists, mappings and scalars, without secrets."""
    return settings.model_dump(mode="json", fallback=str)


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if resolve_scalar(text) == text else "'"  # YAML 1.2; PyYAML quotes for 1.1
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(_FASTEST):  # type: ignore[misc]  # one of two classes
    """Quotes strings that would be read as another type."""

    yaml_representers: ClassVar = {**_FASTEST.yaml_representers, str: _represent_string}
