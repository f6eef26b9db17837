"""The examples, the schema and the models say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from yaml_text import parsed

from exporter.app import load_config
from exporter.config.models import Defaults
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli_runner import CliRunner

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config.example.yaml"


@pytest.fixture
def schema(run_cli: CliRunner) -> Draft202012Validator:
    status, words, errors = run_cli("schema")
    assert (status, errors) == (0, "")
    found = json.loads(words)
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


@pytest.mark.parametrize("path", [EXAMPLE, ROOT / "tests" / "data" / "product-example.yaml"])
def test_the_examples_are_valid_by_the_schema(schema: Draft202012Validator, path: Path) -> None:
    schema.validate(plain(path))


def plain(path: Path) -> object:
    return parsed(path.read_text())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("interval: 15m", "interval: 15"),
        ("poll:", "pol:"),
        ("vendor: affinda", "vendor: afinda"),
        ("organization: mEFayXdO", "organisation: mEFayXdO"),
        ("period: month", "period: week"),
        ("groups: [456, 457]", "groups: [a]"),
        ("warning_ratio: 0.3", "warning_ratio: 30"),
        ("api_key: made-up-key-2", "timeout: 20s"),
        ("workspaces: all", "workspaces: []"),
        ("workspaces: all", "workspaces: [w1, w1]"),
        ("groups: [456, 457]", "groups: [456, 456]"),
    ],
)
def test_check_refuses_what_the_schema_refuses(
    run_cli: CliRunner, schema: Draft202012Validator, tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "config.yaml"
    text = EXAMPLE.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert not schema.is_valid(plain(path))
    assert run_cli("check", str(path))[0] == 1


def test_the_example_loads_as_it_stands() -> None:
    config = load_config(EXAMPLE, {})
    assert [target.vendor for target in config.targets] == ["affinda", "xtracta"]


def keys_of(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key of a model and of the models in it, such as `allowance.credits`."""
    for name, field in model.model_fields.items():
        yield above + name
        for inner in models_in(field.annotation):
            yield from keys_of(inner, f"{above}{name}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401  any type there is
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)


def keys_in(tree: object, above: str = "") -> Iterator[str]:
    for name, value in tree.items() if isinstance(tree, dict) else ():
        yield above + name
        yield from keys_in(value, f"{above}{name}.")


def test_the_example_shows_every_key_of_every_vendor() -> None:
    with_alternatives = re.sub(r"(?m)^( *)# ([a-z_]+: )", r"\1\2", EXAMPLE.read_text())
    example = parsed(with_alternatives)
    sections = set(keys_of(Defaults))
    assert set(keys_in({name: example[name] for name in Defaults.model_fields})) == sections
    shown = {key for target in example["targets"] for key in keys_in(target)}
    for vendor in VENDORS.values():
        assert set(keys_of(vendor.settings)) - sections - shown == set()
