"""The rooms of the house: who may import whom, and that importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(exporter.__file__).parent.parent
FILES = sorted((ROOT / "exporter").rglob("*.py"))
ROOMS = """
    logs < records < regular_file < keys < watch < config < sharding < forecast < observed <
    vendors < polling < delays < fleet < snapshot < metrics < exposition < deflate < blocks <
    page < storage < status < server < web < flags < notify < service < demo.run < backfill <
    probe < healthcheck < cli < __main__
"""
ORDER = ROOMS.replace("<", " ").split()


def module(path: Path) -> str:
    """A file's name below `exporter`, such as `vendors._http`; the package's own is empty."""
    parts = path.relative_to(ROOT / "exporter").with_suffix("").parts
    return ".".join(parts).removesuffix("__init__").removesuffix(".")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, also for types alone."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield f"{node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(name: str) -> str:
    """The room that a module belongs to."""
    rooms = (known for known in ORDER if f"{name}.".startswith(f"{known}."))
    return next(rooms, name.partition(".")[0])


def ours(path: Path) -> set[str]:
    """The rooms that a file imports."""
    found = {name.removeprefix("exporter.") for name in imported(path) if "exporter." in name}
    return {room(name) for name in found}


def test_nothing_imports_what_stands_to_its_right() -> None:
    for path in FILES:
        if room(module(path)) in ORDER:
            left = ORDER[: ORDER.index(room(module(path))) + 1]
            assert ours(path) <= {*left, "demo"}, path


def test_every_file_is_in_a_room_of_the_order_or_a_simulator() -> None:
    rooms = {room(module(path)) for path in FILES} - {""}
    assert rooms == {*ORDER, "demo"}


def test_the_simulators_share_nothing_with_the_exporter_but_its_server() -> None:
    simulators = [path for path in FILES if room(module(path)) == "demo"]
    assert len(simulators) >= 6
    assert {name for path in simulators for name in ours(path)} == {"demo", "server"}


def test_only_the_demo_needs_the_simulators() -> None:
    users = {room(module(path)) for path in FILES if "demo" in ours(path)}
    assert users == {"demo", "demo.run"}


def test_httpx_is_touched_in_one_place() -> None:
    users = {module(path) for path in FILES if "httpx" in imported(path)}
    assert users == {"vendors._httpx"}


def test_importing_the_program_does_nothing() -> None:
    names = [f"exporter.{module(path)}".removesuffix(".") for path in FILES]
    code = f"import {', '.join(names)}"
    done = subprocess.run(  # noqa: S603  our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=30
    )
    assert (done.stdout, done.stderr) == (b"", b"")
