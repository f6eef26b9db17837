"""The registry: vendors by name, and plug-ins that are used or refused with a reason."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Literal

import pytest

import exporter
from exporter.config.models import Target
from exporter.model import MetricFamily
from exporter.vendors import VENDORS, affinda
from exporter.vendors.base import Vendor
from exporter.vendors.plugins import GROUP, Registry

if TYPE_CHECKING:
    from exporter.vendors.base import Poller

ROOT = Path(exporter.__file__).parent


class Settings(Target):
    vendor: Literal["folio"]


def create_poller(_: Settings) -> Poller:
    raise NotImplementedError  # pragma: no cover  nothing polls here


USED = MetricFamily("folio_pages_used", "gauge", "Pages used.", ("target",))
FOLIO = Vendor(Settings, (USED,), create_poller)


def registry(
    monkeypatch: pytest.MonkeyPatch, *plugins: object, names: tuple[str, ...] = ("folio",)
) -> Registry:
    """One with `affinda` and these plug-ins."""
    monkeypatch.setitem(sys.modules, "plugins_of_tests", SimpleNamespace(PLUGINS=plugins))
    for number, plugin in enumerate(plugins):
        setattr(sys.modules["plugins_of_tests"], f"P{number}", plugin)
    return Registry(
        {"affinda": affinda.VENDOR},
        lambda: [
            EntryPoint(name, f"plugins_of_tests:P{number}", GROUP)
            for number, name in enumerate(names)
        ],
    )


def test_the_built_in_vendors_are_known() -> None:
    assert {"affinda", "xtracta"} <= VENDORS.keys()
    assert VENDORS.errors == ()


def test_a_plugin_is_a_vendor_by_its_entry_points_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry(monkeypatch, FOLIO)
    assert (list(found), len(found), found["folio"]) == (["affinda", "folio"], 2, FOLIO)
    assert found.errors == ()


def test_plugins_are_found_once() -> None:
    calls = []

    def entry_points() -> list[EntryPoint]:
        calls.append(1)
        return []

    found = Registry({"affinda": affinda.VENDOR}, entry_points)
    assert calls == []
    assert (len(found), list(found), found.errors) == (1, ["affinda"], ())
    assert calls == [1]


OTHER_LABEL = MetricFamily("folio_pages_used", "gauge", "Pages used.", ("account",))
OTHER_NAME = MetricFamily("pages_used", "gauge", "Pages used.", ("target",))
BAD = {
    "no vendor": (
        FOLIO.settings,
        "folio",
        "must be a Vendor of exporter.vendors.base",
    ),
    "a bad name": (FOLIO, "Folio-2", "the name must be lower-case letters, digits and _"),
    "a built-in name": (FOLIO, "affinda", "another vendor has this name"),
    "other settings": (
        Vendor(dict, (), create_poller),  # type: ignore[arg-type]  # what is to be refused
        "folio",
        "its settings must be a subclass of Target of exporter.config.models",
    ),
    "a history that is a function": (
        Vendor(Settings, (USED,), create_poller, print),  # type: ignore[arg-type]  # as above
        "folio",
        "its history must be a History of exporter.vendors.base",
    ),
    "a metric without a target": (
        Vendor(Settings, (OTHER_LABEL,), create_poller),
        "folio",
        "the metric folio_pages_used must have target as its first label",
    ),
    "a metric of another prefix": (
        Vendor(Settings, (OTHER_NAME,), create_poller),
        "folio",
        "the metric pages_used must begin with folio_ and be unique",
    ),
    "a metric twice": (
        Vendor(Settings, (USED, USED), create_poller),
        "folio",
        "the metric folio_pages_used must begin with folio_ and be unique",
    ),
}


@pytest.mark.parametrize(("plugin", "name", "reason"), BAD.values(), ids=BAD)
def test_a_broken_plugin_is_left_out_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, plugin: object, name: str, reason: str
) -> None:
    found = registry(monkeypatch, plugin, names=(name,))
    assert list(found) == ["affinda"]
    assert found.errors == (f"vendor plug-in {name} (plugins_of_tests:P0): {reason}",)


def test_a_plugin_that_cannot_be_imported_is_left_out_with_its_error() -> None:
    broken = EntryPoint("folio", "no_such_module_of_tests:VENDOR", GROUP)
    found = Registry({}, lambda: [broken])
    (error,) = found.errors
    assert error == (
        "vendor plug-in folio (no_such_module_of_tests:VENDOR): cannot be loaded: "
        "ModuleNotFoundError: No module named 'no_such_module_of_tests'"
    )


def test_of_two_plugins_with_one_name_the_first_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry(monkeypatch, FOLIO, FOLIO, names=("folio", "folio"))
    assert found["folio"] is FOLIO
    assert found.errors == (
        "vendor plug-in folio (plugins_of_tests:P1): another vendor has this name",
    )


def test_only_the_registry_and_the_demo_name_a_vendor() -> None:
    named = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] not in {"vendors", "demo", "__init__.py"}
        and re.search("affinda|xtracta", path.read_text(), re.IGNORECASE)
    }
    assert named == set()
