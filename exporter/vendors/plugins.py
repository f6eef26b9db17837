"""Vendors by name: those of this program, and those of installed plug-ins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from exporter.config.models import Target
from exporter.vendors.base import History, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import EntryPoint

GROUP: Final = "docusage_exporter.vendors"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class Registry(Mapping[str, Vendor]):
    """Every vendor by its name; plug-ins are loaded once, when the first vendor is needed.

    Args:
        built_in: vendors of this program.
        entry_points: finds the plug-ins: an entry point's name is the vendor's, its object a
            `Vendor`.
    """

    def __init__(
        self, built_in: Mapping[str, Vendor], entry_points: Callable[[], Iterable[EntryPoint]]
    ) -> None:
        self._built_in = built_in
        self._entry_points = entry_points

    def __getitem__(self, name: str) -> Vendor:
        return self._loaded[0][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded[0])

    def __len__(self) -> int:
        return len(self._loaded[0])

    @property
    def errors(self) -> tuple[str, ...]:
        """One message for each plug-in that cannot be used."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[dict[str, Vendor], tuple[str, ...]]:
        vendors = dict(self._built_in)
        errors = []
        for entry_point in self._entry_points():
            try:
                vendors[entry_point.name] = _load(entry_point, vendors)
            except _PluginError as error:
                errors.append(f"vendor plug-in {entry_point.name} ({entry_point.value}): {error}")
        return vendors, tuple(errors)


class _PluginError(Exception):
    """Why a plug-in cannot be used."""


def _load(entry_point: EntryPoint, vendors: Mapping[str, Vendor]) -> Vendor:
    name = entry_point.name
    if not _NAME.fullmatch(name):
        raise _PluginError("the name must be lower-case letters, digits and _")
    if name in vendors:
        raise _PluginError("another vendor has this name")
    try:
        vendor: object = entry_point.load()
    except Exception as error:  # noqa: BLE001  a plug-in's module may raise anything
        raise _PluginError(f"cannot be loaded: {type(error).__name__}: {error}") from None
    if not isinstance(vendor, Vendor):
        raise _PluginError("must be a Vendor of exporter.vendors.base")
    if not issubclass(vendor.settings, Target):
        raise _PluginError("its settings must be a subclass of Target of exporter.config.models")
    if not isinstance(vendor.history, History | None):
        raise _PluginError("its history must be a History of exporter.vendors.base")
    used = {metric.name for each in vendors.values() for metric in each.metrics}
    for metric in vendor.metrics:
        if metric.labels[:1] != ("target",):
            raise _PluginError(f"the metric {metric.name} must have target as its first label")
        if not metric.name.startswith(f"{name}_") or metric.name in used:
            raise _PluginError(f"the metric {metric.name} must begin with {name}_ and be unique")
        used.add(metric.name)
    return vendor
