"""Which module may import which, and that importing the program has no effect."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(exporter.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# Each layer imports only itself and the layers before it. The modules of the first layer are
# imported by everybody; `server` is a layer of its own that knows nothing of exporters.
LAYERS = (
    {
        *("model", "files", "secrets", "durations", "days", "logging", "csv_text", "past_usage"),
        *("forecast", "usage_pace"),
    },
    {"config"},
    {"client"},
    {"vendors"},
    {"polling", "state"},
    {"history"},
    {"metrics"},
    {"presentation"},
    {"server"},
    {"web"},
    {"app", "systemd", "backfill", "capture", "reports", "demo"},
    {"cli"},
    {"__main__"},
)
LAYER = {name: index for index, layer in enumerate(LAYERS) for name in layer}


def module(path: Path) -> str:
    """A file's dotted name below `exporter`, such as `client.resolver`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file imports, including imports for type checking only."""
    return frozenset(imports_in(path))


def imports_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield f"{node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def packages(path: Path) -> set[str]:
    """The packages of `exporter` that a file imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("exporter.")}


def importers_of(name: str) -> set[str]:
    """The modules that import `name` or anything below it."""
    return {
        module(path)
        for path in FILES
        if any(f"{found}.".startswith(f"{name}.") for found in imported(path))
    }


def test_every_module_belongs_to_a_layer() -> None:
    assert {module(path).split(".")[0] for path in FILES} <= {*LAYER, "__init__"}


def test_a_module_imports_only_its_own_and_earlier_layers() -> None:
    for path in FILES:
        if path.parent != ROOT or path.stem != "__init__":
            own = module(path).split(".")[0]
            assert {name for name in packages(path) if LAYER[name] > LAYER[own]} == set(), path


def test_only_the_client_imports_httpx() -> None:
    assert {name.split(".")[0] for name in importers_of("httpx")} == {"client"}


def test_the_server_knows_nothing_of_exporters() -> None:
    files = [path for path in FILES if module(path).startswith("server")]
    assert files
    assert {name for path in files for name in packages(path)} <= {"server", "files"}


def test_the_vendors_do_not_import_each_other() -> None:
    assert {name for name in importers_of("exporter.vendors.affinda") if "xtracta" in name} == set()
    assert {name for name in importers_of("exporter.vendors.xtracta") if "affinda" in name} == set()


def test_importing_the_program_has_no_effect() -> None:
    names = [f"exporter.{module(path)}".removesuffix(".__init__") for path in FILES]
    done = subprocess.run(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", f"import {', '.join(names)}"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
