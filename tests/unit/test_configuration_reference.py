"""docs/configuration.md: its tables are those of the models."""

from __future__ import annotations

import re

from configuration_reference import REFERENCE, tables, with_tables

from exporter.config.models import Defaults, Model
from exporter.vendors import VENDORS


def test_the_reference_is_up_to_date() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert text == with_tables(text), "run `make docs`"


def test_the_reference_describes_every_key() -> None:
    keys = set(re.findall(r"^\| `([a-z_]+)` \|", tables(), re.MULTILINE))
    models: list[type[Model]] = [Defaults, *(vendor.settings for vendor in VENDORS.values())]
    assert {name for model in models for name in model.model_fields} - keys == set()
    assert not re.search(r"\|  \|\n", tables())


def test_a_row_has_key_type_default_and_description() -> None:
    assert "| `interval` | duration | `15m` | Time between two polls of a target. |\n" in tables()
    assert "| `organization` | string | required | " in tables()
    assert "| `max_concurrent` | integer, 1 to 10,000 | `16` | " in tables()
    assert "| `groups` | `own`, `all` or list of integers | `own` | " in tables()
