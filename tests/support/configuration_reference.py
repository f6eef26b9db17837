"""The tables in docs/configuration.md: `make docs` writes them from the JSON Schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from exporter.config.json_schema import schema
from exporter.config.models import Defaults, PollSettings, Target
from exporter.durations import PATTERN
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JsonSchema: TypeAlias = dict[str, Any]

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "configuration.md"
_GENERATED: Final = re.compile(r"(<!-- begin generated -->\n).*(<!-- end generated -->)", re.DOTALL)


class _Tables:
    """The tables of a configuration's JSON Schema."""

    def __init__(self, vendors: Mapping[str, type[Target]]) -> None:
        self._vendors = vendors
        self._schema = schema(vendors)

    def sections(self) -> Iterator[str]:
        yield from self._section("The file", self._schema)
        for name in Defaults.model_fields:
            yield from self._section(f"`{name}`", self._definition(self._schema, name))
        targets = {name: self._target(name) for name in self._vendors}
        common = {*Target.model_fields} - {"vendor"}
        yield from self._section("`targets`", next(iter(targets.values())), only=common)
        shared: dict[str, JsonSchema] = {}
        for name, target in targets.items():
            own = {*target["properties"]} - common
            yield from self._section(f"`targets` with `vendor: {name}`", target, only=own)
            for key in target["properties"]:
                if key in own and (definition := self._definition(target, key)):
                    shared[key] = definition
        for key, definition in shared.items():
            yield from self._section(f"`{key}` of a target", definition)

    def _target(self, vendor: str) -> JsonSchema:
        mapping = self._schema["properties"]["targets"]["items"]["discriminator"]["mapping"]
        return self._resolve(mapping[vendor])

    def _resolve(self, reference: str) -> JsonSchema:
        definition: JsonSchema = self._schema["$defs"][reference.rpartition("/")[2]]
        return definition

    def _definition(self, parent: JsonSchema, key: str) -> JsonSchema:
        """The section that a key holds, or nothing."""
        value = parent["properties"][key]
        for each in (value, *value.get("anyOf", ())):
            if "$ref" in each:
                return self._resolve(each["$ref"])
        return {}

    def _section(
        self, title: str, definition: JsonSchema, only: set[str] | None = None
    ) -> Iterator[str]:
        yield f"## {title}\n"
        yield "| Key | Type | Default | Description |"
        yield "| --- | --- | --- | --- |"
        for key, value in definition["properties"].items():
            if only is None or key in only:
                is_required = key in definition.get("required", ())
                default = "required" if is_required else _default(value)
                text = " ".join(self._description(definition, key).split())
                yield f"| `{key}` | {self._type(key, value)} | {default} | {text} |"
        yield ""

    def _description(self, parent: JsonSchema, key: str) -> str:
        text = parent["properties"][key].get("description")
        return str(text or self._definition(parent, key)["description"])

    def _type(self, key: str, value: JsonSchema) -> str:
        if "anyOf" in value:
            branches = [each for each in value["anyOf"] if each != {"type": "null"}]
            return " or ".join(self._type(key, branch) for branch in branches)
        if "$ref" in value:
            return self._mapping_type(key, self._resolve(value["$ref"]))
        if value.get("type") == "array":
            items = value["items"]
            return f"list of {items['type']}s" if "type" in items else "list of targets"
        return _scalar_type(value)

    def _mapping_type(self, key: str, definition: JsonSchema) -> str:
        if definition["title"] == PollSettings.__name__:
            keys = ", ".join(f"`{name}`" for name in PollSettings.model_fields)
            return f"mapping with {keys}"
        return f"mapping, see `{key}`"


def _scalar_type(value: JsonSchema) -> str:
    if value.get("pattern") == f"^{PATTERN}$":
        return "duration"
    if choices := value.get("enum") or ([value["const"]] if "const" in value else []):
        return ", ".join(f"`{choice}`" for choice in choices)
    return "URL" if value.get("format") == "uri" else f"{value['type']}{_range(value)}"


def _range(value: JsonSchema) -> str:
    least, most = value.get("minimum"), value.get("maximum")
    if least is None:
        return ""
    return (
        f", {least:,g} or more" if most is None or most >= 2**53 else f", {least:,g} to {most:,g}"
    )


def _default(value: JsonSchema) -> str:
    if value.get("default") is None:
        return ""
    default = value["default"]
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def tables() -> str:
    """A section with a table for each mapping of the configuration."""
    return "\n".join(
        _Tables({name: vendor.settings for name, vendor in VENDORS.items()}).sections()
    )


def with_tables(text: str) -> str:
    """The document with its tables up to date."""
    return _GENERATED.sub(lambda found: found[1] + tables() + "\n" + found[2], text)


if __name__ == "__main__":  # pragma: no cover  a test runs what it runs
    REFERENCE.write_text(with_tables(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
