"""What fields mean, read from the source of their models."""

from __future__ import annotations

from typing import Literal

from pydantic import create_model

from exporter.config.descriptions import descriptions
from exporter.config.models import Model


class Shelf(Model):
    """A shelf. This is no field's docstring."""

    kind: str
    """What stands on it."""

    length: int = 1
    """How long it is,

    in metres."""

    colour: str = "red"


class Bookshelf(Shelf):
    kind: Literal["books"]

    colour: str = "blue"
    """What it is painted with."""


def test_a_field_is_described_by_the_text_below_it() -> None:
    assert descriptions(Shelf) == {
        "kind": "What stands on it.",
        "length": "How long it is,\n\nin metres.",
    }


def test_a_field_keeps_its_description_below_unless_it_is_declared_anew() -> None:
    assert descriptions(Bookshelf) == {
        "length": "How long it is,\n\nin metres.",
        "colour": "What it is painted with.",
    }


def test_a_model_without_source_has_the_descriptions_it_inherits() -> None:
    made = create_model("Made", __base__=Shelf, books=(int, 1))
    assert descriptions(made) == descriptions(Shelf)
